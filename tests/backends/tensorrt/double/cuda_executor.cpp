// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "backends/cuda/cuda_net.h"
#include "double/executor.h"
#include "double/precisions.h"
#include "graph/passes/passes.h"
#include "quant/qdq.h"

namespace hedge_double {
namespace {

/// As the cuda backend's own build has it of a model that comes with Q/DQ.
std::shared_ptr<const hedge::cuda::LoadedPlan> loaded(hedge::Graph graph, const PlanFile& plan) {
  absorb_qdq(graph);
  optimize(graph);
  return hedge::cuda::load_plan(hedge::cuda::compile(graph, plan_options(plan)));
}

class CudaExecutor final : public Executor {
 public:
  CudaExecutor(std::shared_ptr<const hedge::cuda::LoadedPlan> plan, const Place& place)
      : net_(std::move(plan)), stream_(place.stream) {
    net_.bind(stream_, place.input, place.outputs);
  }
  [[nodiscard]] cudaError_t enqueue() override { return net_.enqueue(false, {}); }
  [[nodiscard]] cudaError_t enqueue_profiled(nvinfer1::IProfiler& profiler) override {
    cudaError_t status = net_.enqueue_profiled();
    if (status == cudaSuccess) status = cudaStreamSynchronize(stream_);
    if (status != cudaSuccess) return status;
    const auto layers = net_.layers();
    std::vector<std::int64_t> nanoseconds(layers.size(), 0);
    net_.add_layer_times(nanoseconds);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      profiler.reportLayerTime(layers[i].name.c_str(), static_cast<float>(nanoseconds[i]) * 1e-6F);
    }
    return cudaSuccess;
  }

 private:
  hedge::cuda::CudaNet net_;
  cudaStream_t stream_;
};

}  // namespace

std::unique_ptr<Executor> cuda_executor(const hedge::Graph& graph, const PlanFile& plan,
                                        const Place& place) {
  return std::make_unique<CudaExecutor>(loaded(graph, plan), place);
}

bool computes_by_cuda() {
  const char* text = std::getenv("HEDGE_DOUBLE_EXECUTOR");
#ifdef HEDGE_DOUBLE_ON_GPU
  return text == nullptr || std::string_view(text) != "reference";
#else
  return text != nullptr && std::string_view(text) == "cuda";
#endif
}

}  // namespace hedge_double
