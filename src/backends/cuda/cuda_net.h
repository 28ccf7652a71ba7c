// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/plan.h"
#include "backends/gpu/context.h"
#include "backends/gpu/device.h"
#include "backends/gpu/net.h"

namespace hedge::cuda {

/// A plan with its weights on the GPU, shared by its contexts.
struct LoadedPlan {
  std::shared_ptr<const Plan> plan;
  gpu::Memory weights;
  bool overlap = false;  ///< The GPU has programmatic dependent launch (Hopper on).
  std::vector<std::string> warnings;
};
[[nodiscard]] std::shared_ptr<const LoadedPlan> load_plan(std::shared_ptr<const Plan> plan);

/// A plan's steps, bound to one context's memory.
class CudaNet final : public gpu::Net {
 public:
  explicit CudaNet(std::shared_ptr<const LoadedPlan> loaded);

  [[nodiscard]] std::size_t input_bytes() const override;
  [[nodiscard]] std::vector<std::size_t> output_bytes() const override;
  [[nodiscard]] std::size_t most_mapped() const override;
  void bind(cudaStream_t stream, std::byte* input, std::span<std::byte* const> outputs) override;
  [[nodiscard]] cudaError_t enqueue(bool behind_kernel, const Completion& completion) override;
  [[nodiscard]] bool tells() const override;
  [[nodiscard]] bool lets_successor_begin(bool behind_kernel) const override;
  void check(cudaError_t status, std::string_view what) override { gpu::check(status, what); }
  /// What a step on the host has thrown.
  [[nodiscard]] std::string* host_failure() override { return host_failure_.get(); }
  [[nodiscard]] std::string uncaptured(cudaError_t status) override;

  [[nodiscard]] std::vector<LayerProfiler::Layer> layers() override;
  /// With events between the steps, which then do not overlap.
  [[nodiscard]] cudaError_t enqueue_profiled() override;
  [[nodiscard]] bool profiles_in_graph() const override { return true; }
  void add_layer_times(std::span<std::int64_t> layer_ns) override;
  [[nodiscard]] MemoryUse memory() const override;

 private:
  struct HostCall {
    const HostKernel* kernel = nullptr;
    std::vector<std::byte*> buffers;  ///< Page-locked.
    std::string* failure = nullptr;
  };
  struct BoundStep {
    const Step* step = nullptr;
    std::vector<std::byte*> buffers;
    HostCall host;
  };

  [[nodiscard]] std::byte* address_of(const Storage& storage, std::byte* input,
                                      std::span<std::byte* const> outputs) const;
  void bind_host(BoundStep& bound);
  [[nodiscard]] cudaError_t enqueue(BoundStep& bound, const Launch& launch);
  [[nodiscard]] cudaError_t enqueue_host(BoundStep& bound);
  static void CUDART_CB call_host(void* data);

  std::shared_ptr<const LoadedPlan> loaded_;
  gpu::Memory arena_;
  cudaStream_t stream_ = nullptr;
  std::vector<gpu::Memory> staging_;
  std::vector<BoundStep> steps_;
  std::unique_ptr<std::string> host_failure_;
  std::vector<gpu::Event> events_;  ///< Of profiled inferences: before each step, after the last.
};

/// With the plan's warnings.
[[nodiscard]] std::unique_ptr<gpu::Context> new_context(
    const std::shared_ptr<const LoadedPlan>& loaded, const gpu::ExecutionSettings& settings = {});

}  // namespace hedge::cuda
