// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/logger.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace hedge::tensorrt {
namespace {

constexpr std::size_t kMostErrors = 4;  ///< The first ones tell; the rest follows from them.
constexpr std::size_t kLongest = 500;

std::string describe(std::string_view what, const std::string& errors, std::string_view advice) {
  return fmt::format("TensorRT: {}{}{}{}{}", what, errors.empty() ? "" : ": ", errors,
                     advice.empty() ? "" : "; ", advice);
}

}  // namespace

void Logger::log(Severity severity, const nvinfer1::AsciiChar* message) noexcept {
  try {
    const std::string text = printable(trim(message), kLongest);
    if (severity == Severity::kERROR || severity == Severity::kINTERNAL_ERROR) {
      hedge::log(LogLevel::kDebug, fmt::format("TensorRT: error: {}", text));
      const std::lock_guard lock(mutex_);
      if (errors_.size() < kMostErrors) errors_.push_back(text);
      return;
    }
    if (text.starts_with("(Sparsity)")) {
      const std::lock_guard lock(mutex_);
      sparsity_.push_back(text);
    }
    const bool warning = severity == Severity::kWARNING;
    hedge::log(warning ? LogLevel::kWarning : LogLevel::kDebug, fmt::format("TensorRT: {}", text));
  } catch (...) {  // TensorRT's threads must not see it, and there is nobody to tell.
  }
}

std::string Logger::take_errors() {
  const std::lock_guard lock(mutex_);
  return fmt::format("{}", fmt::join(std::exchange(errors_, {}), "; "));
}

std::vector<std::string> Logger::take_sparsity() {
  const std::lock_guard lock(mutex_);
  return std::exchange(sparsity_, {});
}

Logger& logger() {
  static Logger logger;
  return logger;
}

Error failure(std::string_view what, std::string_view advice) {
  return runtime_failure(describe(what, logger().take_errors(), advice));
}

Error refusal(std::string_view what, std::string_view advice) {
  return bad_input(describe(what, logger().take_errors(), advice));
}

}  // namespace hedge::tensorrt
