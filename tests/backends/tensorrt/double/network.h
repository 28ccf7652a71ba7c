// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/emulation/control.h"
#include "tensorrt_stubs.h"

namespace hedge_double {

class TensorDouble final : public nvinfer1::ITensor, public nvinfer1::apiv::TensorStub {
 public:
  explicit TensorDouble(std::string name, nvinfer1::Dims dims = {})
      : name_(std::move(name)), dims_(dims) {
    mImpl = this;
  }
  nvinfer1::Dims getDimensions() const noexcept override { return dims_; }
  char const* getName() const noexcept override { return name_.c_str(); }

 private:
  std::string name_;
  nvinfer1::Dims dims_;
};

/// A layer as the parser makes it of a node.
class LayerDouble final : public nvinfer1::ILayer, public nvinfer1::apiv::LayerStub {
 public:
  explicit LayerDouble(std::string name) : name_(std::move(name)) { mLayer = this; }
  char const* getName() const noexcept override { return name_.c_str(); }
#if NV_TENSORRT_MAJOR < 11
  void setPrecision(nvinfer1::DataType type) noexcept override {
    precision = static_cast<int>(type);
  }
  void setOutputType(int32_t, nvinfer1::DataType type) noexcept override {
    if (static_cast<int>(type) != precision) complain("a layer's output of another type than it");
  }
#endif
  int precision = -1;

 private:
  std::string name_;
};

class NetworkDouble final : public nvinfer1::INetworkDefinition,
                            public nvinfer1::apiv::NetworkDefinitionStub {
 public:
  explicit NetworkDouble(nvinfer1::ILogger* its_logger) : logger(its_logger) { mImpl = this; }
  ~NetworkDouble() noexcept override {
    if (alive("parser") > 0) complain("the network is destroyed before its parser");
  }
  int32_t getNbLayers() const noexcept override { return static_cast<int32_t>(layers.size()); }
  nvinfer1::ILayer* getLayer(int32_t i) const noexcept override {
    return layers.at(static_cast<std::size_t>(i)).get();
  }
  int32_t getNbInputs() const noexcept override { return static_cast<int32_t>(inputs.size()); }
  nvinfer1::ITensor* getInput(int32_t i) const noexcept override {
    return inputs.at(static_cast<std::size_t>(i)).get();
  }
  int32_t getNbOutputs() const noexcept override { return static_cast<int32_t>(outputs.size()); }
  nvinfer1::ITensor* getOutput(int32_t i) const noexcept override {
    return outputs.at(static_cast<std::size_t>(i)).get();
  }

  nvinfer1::ILogger* logger;
  std::vector<std::unique_ptr<LayerDouble>> layers;
  std::vector<std::unique_ptr<TensorDouble>> inputs, outputs;
  /// The caller's, which the builder reads: the network's weights lie there.
  const char* onnx = nullptr;
  std::size_t onnx_bytes = 0;
  int opset = 0;
  uint32_t flags = 0;

 private:
  Alive alive_{"network"};
};

/// An error, as TensorRT tells one.
inline void tell(nvinfer1::ILogger* logger, const std::string& text) {
  logger->log(nvinfer1::ILogger::Severity::kERROR, text.c_str());
}
/// Whether the call is to fail, and its error told.
inline bool refused(nvinfer1::ILogger* logger, const char* call) {
  if (!fails(call)) return false;
  tell(logger, std::string("injected failure of ") + call);
  return true;
}

}  // namespace hedge_double
