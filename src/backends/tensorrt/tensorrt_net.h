// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/gpu/device.h"
#include "backends/gpu/net.h"
#include "backends/tensorrt/layer_times.h"
#include "backends/tensorrt/loaded_plan.h"

namespace hedge::tensorrt {

/// A plan by enqueueV3. Addresses are set once.
class TensorRtNet final : public gpu::Net {
 public:
  /// Throws bad_input where the plan cannot have the batch, runtime_failure where TensorRT refuses.
  /// `persistent_bytes`: of the L2 cache, what activations may be kept in.
  TensorRtNet(std::shared_ptr<const LoadedPlan> plan, const PlanBindings& bindings,
              std::int64_t batch, std::size_t persistent_bytes = 0);

  [[nodiscard]] std::size_t input_bytes() const override { return bytes_of(bindings_.input); }
  [[nodiscard]] std::vector<std::size_t> output_bytes() const override;
  /// Little: how often TensorRT's kernels read an input is not known.
  [[nodiscard]] std::size_t most_mapped() const override { return std::size_t{64} << 10U; }
  void bind(cudaStream_t stream, std::byte* input, std::span<std::byte* const> outputs) override;
  [[nodiscard]] cudaError_t enqueue(bool behind_kernel, const gpu::Completion& completion) override;
  /// With TensorRT's own words, where it has any.
  void check(cudaError_t status, std::string_view what) override;
  [[nodiscard]] std::string uncaptured(cudaError_t status) override;

  /// TensorRT's layers, which are several of the model's in one; named after these. The first call
  /// runs an inference, which tells them.
  [[nodiscard]] std::vector<LayerProfiler::Layer> layers() override;
  /// By enqueueV3 of a context of its own, which waits for each layer then.
  [[nodiscard]] cudaError_t enqueue_profiled() override;
  /// Only enqueueV3 that is not captured tells.
  [[nodiscard]] bool profiles_in_graph() const override { return false; }
  void add_layer_times(std::span<std::int64_t> layer_ns) override;
  [[nodiscard]] MemoryUse memory() const override;

 private:
  [[nodiscard]] std::size_t bytes_of(const std::string& tensor) const;
  /// Gives a context, whose input has its shape, streams, cache and addresses.
  void prepare(nvinfer1::IExecutionContext& context) const;
  [[nodiscard]] cudaError_t enqueue(nvinfer1::IExecutionContext& context) const;

  std::shared_ptr<const LoadedPlan> plan_;
  PlanBindings bindings_;
  nvinfer1::Dims shape_{};
  std::size_t persistent_bytes_;
  cudaStream_t stream_ = nullptr;
  std::byte* input_ = nullptr;
  std::vector<std::byte*> outputs_;
  /// Those that the plan runs layers on beside stream_, so that TensorRT makes none itself.
  std::vector<gpu::Stream> aux_streams_;
  std::unique_ptr<nvinfer1::IExecutionContext> context_;
  std::unique_ptr<ProfiledContext> profiled_;
};

}  // namespace hedge::tensorrt
