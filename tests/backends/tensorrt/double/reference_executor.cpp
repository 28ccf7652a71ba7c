// SPDX-License-Identifier: Apache-2.0
#include "graph/reference_executor.h"

#include <cstring>
#include <exception>
#include <utility>

#include "double/executor.h"

namespace hedge_double {
namespace {

using hedge::Tensor;

struct Buffer {
  std::shared_ptr<char> memory;
  std::size_t bytes = 0;
  [[nodiscard]] char* get() const { return memory.get(); }
};

/// Page-locked.
Buffer buffer(const hedge::Shape& shape) {
  Buffer made;
  made.bytes = sizeof(float) * static_cast<std::size_t>(hedge::element_count(shape));
  void* memory = nullptr;
  if (cudaHostAlloc(&memory, made.bytes, cudaHostAllocDefault) != cudaSuccess) {
    throw std::bad_alloc();
  }
  made.memory = {static_cast<char*>(memory), [](char* p) { cudaFreeHost(p); }};
  return made;
}

class ReferenceExecutor final : public Executor {
 public:
  ReferenceExecutor(const hedge::Graph& graph, Place place)
      : graph_(graph), place_(std::move(place)), input_(buffer(graph.input_type(0).shape)) {
    for (const hedge::ValueId id : graph.outputs) {
      outputs_.push_back(buffer(graph.value(id).type.shape));
    }
  }
  [[nodiscard]] cudaError_t enqueue() override {
    cudaError_t status = copy(input_.get(), place_.input, input_.bytes);
    if (status == cudaSuccess) status = cudaLaunchHostFunc(place_.stream, run, this);
    for (std::size_t i = 0; status == cudaSuccess && i < outputs_.size(); ++i) {
      status = copy(place_.outputs[i], outputs_[i].get(), outputs_[i].bytes);
    }
    return status;
  }
  [[nodiscard]] cudaError_t enqueue_profiled(nvinfer1::IProfiler& profiler) override {
    cudaError_t status = enqueue();
    if (status == cudaSuccess) status = cudaStreamSynchronize(place_.stream);
    float milliseconds = 0;
    for (const hedge::Node& node : graph_.nodes) {
      profiler.reportLayerTime(node.name.c_str(), milliseconds += 0.0005F);
    }
    return status;
  }

 private:
  [[nodiscard]] cudaError_t copy(void* to, const void* from, std::size_t bytes) const {
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, place_.stream);
  }

  static void CUDART_CB run(void* data) {
    auto& self = *static_cast<ReferenceExecutor*>(data);
    try {
      Tensor input(hedge::DataType::kFloat32, self.graph_.input_type(0).shape);
      std::memcpy(input.mutable_values<float>().data(), self.input_.get(), self.input_.bytes);
      const auto results = hedge::execute(self.graph_, std::vector<Tensor>{input});
      for (std::size_t i = 0; i < results.size(); ++i) {
        std::memcpy(self.outputs_[i].get(), results[i].bytes().data(), self.outputs_[i].bytes);
      }
    } catch (const std::exception& error) {  // It must not go through the driver.
      complain(std::string("the reference executor fails: ") + error.what());
    }
  }

  const hedge::Graph& graph_;
  Place place_;
  Buffer input_;
  std::vector<Buffer> outputs_;
};

}  // namespace

std::unique_ptr<Executor> reference_executor(const hedge::Graph& graph, Place place) {
  return std::make_unique<ReferenceExecutor>(graph, std::move(place));
}

}  // namespace hedge_double
