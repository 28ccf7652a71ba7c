// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <NvInferRuntime.h>

#include <memory>
#include <string>
#include <vector>

namespace hedge::tensorrt {

/// Hears from TensorRT how long each layer of an inference took; always the same ones in the same
/// order. Only enqueueV3 that is not captured tells.
class LayerTimes final : public nvinfer1::IProfiler {
 public:
  void reportLayerTime(char const* name, float milliseconds) noexcept override;
  /// Before each inference.
  void begin() { heard_ = 0; }

  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// Of the last inference, one a layer.
  [[nodiscard]] const std::vector<float>& milliseconds() const { return milliseconds_; }
  [[nodiscard]] std::size_t heard() const { return heard_; }

 private:
  std::vector<std::string> names_;
  std::vector<float> milliseconds_;
  std::size_t heard_ = 0;
};

/// A context that tells, beside the one that is captured.
struct ProfiledContext {
  LayerTimes times;  ///< The context has its address.
  std::unique_ptr<nvinfer1::IExecutionContext> context;
};

}  // namespace hedge::tensorrt
