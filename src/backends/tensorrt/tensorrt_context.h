// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/device.h"
#include "backends/tensorrt/layer_times.h"
#include "backends/tensorrt/loaded_plan.h"
#include "hedge/engine.h"

namespace hedge::tensorrt {

/// Runs a plan: enqueueV3 once, then the CUDA graph that was captured of it. Addresses are set
/// once. The caller's input and outputs are page-locked memory of the host; small ones are read and
/// written by kernels where they are, large ones are copied as part of the graph.
class TensorRtContext final : public ExecutionContext, public LayerProfiler {
 public:
  /// Throws bad_input where the plan cannot have the batch, runtime_failure where TensorRT or the
  /// GPU refuse.
  TensorRtContext(std::shared_ptr<const LoadedPlan> plan, const PlanBindings& bindings,
                  std::int64_t batch, std::vector<std::string> warnings);
  ~TensorRtContext() override;

  [[nodiscard]] std::span<float> input() override;
  [[nodiscard]] std::size_t output_count() const override { return outputs_.size(); }
  [[nodiscard]] std::span<const float> output(std::size_t index) const override;
  /// The host spins until the GPU is done.
  void infer() override;
  [[nodiscard]] MemoryUse memory() const override;
  [[nodiscard]] std::vector<std::string> warnings() const override { return warnings_; }

  /// TensorRT's layers, which are several of the model's in one; named after these.
  [[nodiscard]] std::vector<Layer> layers() const override;
  /// By enqueueV3, which waits for each layer then.
  void infer_profiled(std::span<std::int64_t> layer_ns) override;

 private:
  /// The caller's memory, and where the plan sees it.
  struct Border {
    cuda::Memory host;
    cuda::Memory device;  ///< Null: the plan uses the host's.
    std::size_t bytes = 0;
    [[nodiscard]] void* seen() const { return device ? device.get() : host.get(); }
  };

  [[nodiscard]] static Border border(std::size_t bytes);
  [[nodiscard]] std::size_t bytes_of(const std::string& tensor) const;
  /// Gives a context shape and addresses.
  void bind(nvinfer1::IExecutionContext& context) const;
  void make_borders();
  [[nodiscard]] cudaError_t enqueue(nvinfer1::IExecutionContext& context) const;
  void prepare();
  void wait() const;
  void check_run(cudaError_t status, std::string_view what) const;
  /// Made by the first call, with one inference that tells the layers' names.
  [[nodiscard]] ProfiledContext& profiled() const;
  void run_profiled(ProfiledContext& profiled) const;

  std::shared_ptr<const LoadedPlan> plan_;
  PlanBindings bindings_;
  nvinfer1::Dims shape_{};
  cuda::Stream stream_;
  Border input_;
  std::vector<Border> outputs_;
  std::unique_ptr<nvinfer1::IExecutionContext> context_;
  cuda::ExecutableGraph graph_;  ///< Null: enqueueV3 for each inference.
  std::vector<std::string> warnings_;
  mutable std::unique_ptr<ProfiledContext> profiled_;
};

}  // namespace hedge::tensorrt
