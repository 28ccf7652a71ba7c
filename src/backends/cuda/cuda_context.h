// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/device.h"
#include "backends/cuda/plan.h"
#include "hedge/engine.h"

namespace hedge::cuda {

/// A plan with its weights on the GPU, shared by its contexts.
struct LoadedPlan {
  std::shared_ptr<const Plan> plan;
  Memory weights;
  bool overlap = false;  ///< The GPU has programmatic dependent launch (Hopper on).
  std::vector<std::string> warnings;
};
[[nodiscard]] std::shared_ptr<const LoadedPlan> load_plan(std::shared_ptr<const Plan> plan);

/// Runs a plan: once step by step, then as a captured graph that is replayed. The caller's input
/// and outputs are page-locked memory of the host; small ones are read and written by kernels where
/// they are, large ones are copied as part of the graph.
class CudaContext final : public ExecutionContext, public LayerProfiler {
 public:
  explicit CudaContext(std::shared_ptr<const LoadedPlan> loaded);
  ~CudaContext() override;

  [[nodiscard]] std::span<float> input() override;
  [[nodiscard]] std::size_t output_count() const override { return outputs_.size(); }
  [[nodiscard]] std::span<const float> output(std::size_t index) const override;
  /// The host spins until the GPU is done.
  void infer() override;
  [[nodiscard]] MemoryUse memory() const override;
  [[nodiscard]] std::vector<std::string> warnings() const override { return warnings_; }

  /// What infer() launches, and where, for benchmarks that do so themselves. Null where there is no
  /// graph.
  [[nodiscard]] cudaGraphExec_t graph() const { return graph_.get(); }
  [[nodiscard]] cudaStream_t stream() const { return stream_.get(); }

  [[nodiscard]] std::vector<Layer> layers() const override;
  /// By events between the steps, which then do not overlap.
  void infer_profiled(std::span<std::int64_t> layer_ns) override;

 private:
  /// The caller's memory, and where kernels see it.
  struct Border {
    Memory host;
    Memory device;  ///< Null: kernels use the host's.
    std::size_t bytes = 0;
    [[nodiscard]] std::byte* seen() const { return device ? device.get() : host.get(); }
  };
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

  [[nodiscard]] static Border border(std::size_t bytes);
  [[nodiscard]] std::byte* address_of(const Storage& storage) const;
  void bind();
  void bind_host(BoundStep& bound);
  [[nodiscard]] cudaError_t enqueue(BoundStep& bound, bool overlap);
  [[nodiscard]] cudaError_t enqueue_host(BoundStep& bound);
  static void CUDART_CB call_host(void* data);
  [[nodiscard]] cudaError_t enqueue_copy_in();
  [[nodiscard]] cudaError_t enqueue_copy_out();
  [[nodiscard]] cudaError_t enqueue_all();
  [[nodiscard]] cudaError_t enqueue_profiled();
  void prepare();
  void prepare_profile();
  void wait();

  std::shared_ptr<const LoadedPlan> loaded_;
  Stream stream_;
  Memory arena_;
  Border input_;
  std::vector<Border> outputs_;
  std::vector<Memory> staging_;
  std::vector<BoundStep> steps_;
  std::vector<std::string> warnings_;
  std::string host_failure_;
  ExecutableGraph graph_;          ///< Null: steps are launched one by one.
  std::vector<Event> events_;      ///< Of infer_profiled: before each step, and after the last.
  ExecutableGraph profile_graph_;  ///< Likewise.
};

}  // namespace hedge::cuda
