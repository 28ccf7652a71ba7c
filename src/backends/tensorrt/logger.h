// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <NvInferRuntime.h>

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "hedge/error.h"

namespace hedge::tensorrt {

/// TensorRT's messages: warnings go to Hedge's log, what is only told goes there as for --verbose,
/// and errors wait until the call that they belong to says that it failed. Called from TensorRT's
/// threads.
class Logger final : public nvinfer1::ILogger {
 public:
  void log(Severity severity, const nvinfer1::AsciiChar* message) noexcept override;
  /// Errors since the last time, in one line; empty where there are none.
  [[nodiscard]] std::string take_errors();
  /// What the builder said of sparse weights since the last time.
  [[nodiscard]] std::vector<std::string> take_sparsity();

 private:
  std::mutex mutex_;
  std::vector<std::string> errors_;
  std::vector<std::string> sparsity_;
};

/// One for the process: TensorRT keeps the first that it is given.
[[nodiscard]] Logger& logger();

/// "TensorRT: WHAT: its own messages; ADVICE".
[[nodiscard]] Error failure(std::string_view what, std::string_view advice = {});
/// The same, where the caller can mend it.
[[nodiscard]] Error refusal(std::string_view what, std::string_view advice = {});

/// Throws failure() unless a call has succeeded. What one logged that did is no reason of a later
/// failure, and is forgotten.
inline void require(bool done, std::string_view what, std::string_view advice = {}) {
  if (!done) throw failure(what, advice);
  (void)logger().take_errors();
}
/// The same of what a call gave, unless that is null.
template <class T>
[[nodiscard]] T* required(T* made, std::string_view what, std::string_view advice = {}) {
  require(made != nullptr, what, advice);
  return made;
}

}  // namespace hedge::tensorrt
