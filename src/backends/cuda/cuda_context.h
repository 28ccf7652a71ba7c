// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backends/cuda/border.h"
#include "backends/cuda/device.h"
#include "backends/cuda/pixel_stage.h"
#include "backends/cuda/plan.h"
#include "backends/cuda/time_split.h"
#include "backends/cuda/waiter.h"
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

/// How a context runs.
struct ExecutionSettings {
  WaitMode wait = WaitMode::kSpin;
  MemoryMode memory = MemoryMode::kAuto;  ///< By the size of each border.
  bool cuda_graph = true;
  /// The caller's input are images, of which infer() makes the tensor; null: it is the tensor.
  std::shared_ptr<const PixelSource> pixels = nullptr;
  std::chrono::nanoseconds limit = std::chrono::minutes(2);  ///< Of one inference.
};
[[nodiscard]] ExecutionSettings settings_of(const GpuOptions& options);

/// Runs a plan: once step by step, then as a captured graph that is replayed.
class CudaContext : public ExecutionContext,
                    public GpuContext,
                    public LayerProfiler,
                    public TimeSplitter {
 public:
  explicit CudaContext(std::shared_ptr<const LoadedPlan> loaded,
                       const ExecutionSettings& settings = {});
  ~CudaContext() override;

  [[nodiscard]] std::span<float> input() override;
  [[nodiscard]] std::size_t output_count() const override { return outputs_.size(); }
  [[nodiscard]] std::span<const float> output(std::size_t index) const override;
  void infer() override;
  void copy_in() override;
  void copy_out() override;
  [[nodiscard]] Execution execution() const override;
  [[nodiscard]] MemoryUse memory() const override;
  [[nodiscard]] std::vector<std::string> warnings() const override { return warnings_; }

  /// What infer() launches, and where, for benchmarks that do so themselves: of a context whose
  /// infer() is not called any more, as each launch counts. Null where there is no graph.
  [[nodiscard]] cudaGraphExec_t graph() const { return graph_.get(); }
  [[nodiscard]] cudaStream_t stream() const { return stream_.get(); }

  [[nodiscard]] std::vector<Layer> layers() const override;
  /// By events between the steps, which then do not overlap.
  void infer_profiled(std::span<std::int64_t> layer_ns) override;

  [[nodiscard]] bool enqueues_at_once() const override { return graph_ != nullptr; }
  [[nodiscard]] Split infer_split() override;

 protected:
  [[nodiscard]] std::span<std::byte> input_bytes() { return {input_.host.get(), input_.bytes}; }

 private:
  CudaContext(const ExecutionSettings& settings, std::shared_ptr<const LoadedPlan> loaded);

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

  void make_borders();
  [[nodiscard]] std::byte* address_of(const Storage& storage) const;
  void bind();
  void bind_host(BoundStep& bound);
  [[nodiscard]] cudaError_t enqueue(BoundStep& bound, const Launch& launch);
  [[nodiscard]] cudaError_t enqueue_host(BoundStep& bound);
  static void CUDART_CB call_host(void* data);
  [[nodiscard]] cudaError_t enqueue_copy_in();
  /// From the caller's images to the tensor; nothing without pixels.
  [[nodiscard]] cudaError_t enqueue_preprocess();
  [[nodiscard]] cudaError_t enqueue_copy_out();
  /// `completion` is for the last step, where that tells.
  [[nodiscard]] cudaError_t enqueue_steps(const Completion& completion);
  /// What follows the input: steps, outputs, and the word for the host.
  [[nodiscard]] cudaError_t enqueue_rest(const Completion& completion);
  [[nodiscard]] bool copies_out() const;
  [[nodiscard]] bool last_step_tells() const;
  void take_scores();
  [[nodiscard]] cudaError_t enqueue_all();
  [[nodiscard]] cudaError_t enqueue_profiled();
  void prepare();
  void prepare_profile();
  [[nodiscard]] TimeSplit make_split();
  void launch();
  void throw_host_failure();
  void leave_everything();

  std::shared_ptr<const LoadedPlan> loaded_;
  ExecutionSettings settings_;
  Stream stream_;
  Memory arena_;
  std::optional<PixelStage> pixels_;
  Border input_;  ///< With pixels_ the images.
  std::vector<Border> outputs_;
  std::optional<Waiter> waiter_;
  std::vector<Memory> staging_;
  std::vector<BoundStep> steps_;
  std::unique_ptr<std::string> host_failure_;
  std::vector<std::string> warnings_;
  ExecutableGraph graph_;          ///< Null: steps are launched one by one.
  std::vector<Event> events_;      ///< Of infer_profiled: before each step, and after the last.
  ExecutableGraph profile_graph_;  ///< Likewise.
  std::optional<TimeSplit> split_;
};

/// Of settings with pixels.
class CudaPixelContext final : public CudaContext, public PixelInput {
 public:
  using CudaContext::CudaContext;
  [[nodiscard]] std::span<std::uint8_t> input_u8() override;
};
[[nodiscard]] std::unique_ptr<CudaContext> new_context(std::shared_ptr<const LoadedPlan> loaded,
                                                       const ExecutionSettings& settings);

}  // namespace hedge::cuda
