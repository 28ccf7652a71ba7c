// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "backends/tensorrt/compat.h"
#include "backends/tensorrt/logger.h"

namespace hedge::tensorrt {

/// TensorRT's libraries, opened when they are first asked for and never closed: one module serves
/// machines with and without them.
class Libraries {
 public:
  /// Why there is no TensorRT here that this module can use: none, of another major version, older
  /// than the headers.
  [[nodiscard]] static std::optional<std::string> unavailable_reason();
  /// Throws bad_input with that reason.
  [[nodiscard]] static const Libraries& get();

  /// Of the library that runs: 8602, 100300.
  [[nodiscard]] int version() const { return version_; }
  /// These throw failure(). Who has a runtime's engine keeps the runtime as well.
  [[nodiscard]] std::unique_ptr<nvinfer1::IRuntime> runtime() const;
  [[nodiscard]] std::unique_ptr<nvinfer1::IBuilder> builder() const;
  /// Throws bad_input where libnvonnxparser is missing.
  [[nodiscard]] std::unique_ptr<nvonnxparser::IParser> parser(
      nvinfer1::INetworkDefinition& network) const;
  /// Makes the plugins of NVIDIA's own library known, where it is there.
  void load_plugins() const;

 private:
  Libraries();
  [[nodiscard]] static const Libraries& opened();

  std::string unavailable_reason_;
  int version_ = 0;
  void* infer_ = nullptr;
};

}  // namespace hedge::tensorrt
