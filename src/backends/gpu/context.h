// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/gpu/border.h"
#include "backends/gpu/device.h"
#include "backends/gpu/net.h"
#include "backends/gpu/pixel_stage.h"
#include "backends/gpu/time_split.h"
#include "backends/gpu/waiter.h"
#include "hedge/engine.h"

namespace hedge::gpu {

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

/// Runs a net: once as it is sent, then as a captured graph that is replayed. Makes the memory of
/// input and outputs, preprocesses, copies and waits.
class Context : public ExecutionContext,
                public GpuContext,
                public LayerProfiler,
                public TimeSplitter {
 public:
  /// Throws what the net throws, bad_input for memory that this GPU does not have.
  Context(std::unique_ptr<Net> net, const ExecutionSettings& settings,
          std::vector<std::string> warnings);
  ~Context() override;

  [[nodiscard]] std::span<float> input() override;
  [[nodiscard]] std::size_t output_count() const override { return outputs_.size(); }
  [[nodiscard]] std::span<const float> output(std::size_t index) const override;
  void infer() override;
  void copy_in() override;
  void copy_out() override;
  [[nodiscard]] Execution execution() const override;
  [[nodiscard]] MemoryUse memory() const override { return net_->memory(); }
  [[nodiscard]] std::vector<std::string> warnings() const override { return warnings_; }

  /// What infer() launches, and where, for benchmarks that do so themselves: of a context whose
  /// infer() is not called any more, as each launch counts. Null where there is no graph.
  [[nodiscard]] cudaGraphExec_t graph() const { return graph_.get(); }
  [[nodiscard]] cudaStream_t stream() const { return stream_.get(); }

  [[nodiscard]] std::vector<Layer> layers() const override { return net_->layers(); }
  void infer_profiled(std::span<std::int64_t> layer_ns) override;

  [[nodiscard]] bool enqueues_at_once() const override { return graph_ != nullptr; }
  [[nodiscard]] Split infer_split() override;

 protected:
  [[nodiscard]] std::span<std::byte> input_bytes() { return {input_.host.get(), input_.bytes}; }

 private:
  Context(const ExecutionSettings& settings, std::unique_ptr<Net> net,
          std::vector<std::string> warnings);

  void make_borders();
  void bind();
  void take_scores();
  [[nodiscard]] cudaError_t enqueue_copy_in();
  /// From the caller's images to the tensor; nothing without pixels.
  [[nodiscard]] cudaError_t enqueue_preprocess();
  [[nodiscard]] cudaError_t enqueue_copy_out();
  /// What follows the input: the net, outputs, and the word for the host.
  [[nodiscard]] cudaError_t enqueue_rest();
  [[nodiscard]] cudaError_t enqueue_all();
  [[nodiscard]] cudaError_t enqueue_profiled();
  [[nodiscard]] bool copies_out() const;
  /// The net's last kernel tells the host, not a kernel of its own.
  [[nodiscard]] bool net_tells() const { return net_->tells() && !copies_out(); }
  void prepare();
  [[nodiscard]] TimeSplit make_split();
  void launch();
  /// What the net could not throw from within.
  void throw_failure();
  void leave_everything();

  ExecutionSettings settings_;
  Stream stream_;
  std::unique_ptr<Net> net_;
  std::string* failure_ = nullptr;  ///< The net's.
  std::optional<PixelStage> pixels_;
  Border input_;  ///< With pixels_ the images.
  std::vector<Border> outputs_;
  std::optional<Waiter> waiter_;
  std::vector<std::string> warnings_;
  ExecutableGraph graph_;          ///< Null: everything is sent for each inference.
  ExecutableGraph profile_graph_;  ///< Of infer_profiled; null: likewise.
  bool profiled_ = false;
  std::optional<TimeSplit> split_;
};

/// Of settings with pixels.
class PixelContext final : public Context, public PixelInput {
 public:
  using Context::Context;
  [[nodiscard]] std::span<std::uint8_t> input_u8() override;
};

using NewNet = std::function<std::unique_ptr<Net>()>;
[[nodiscard]] std::unique_ptr<Context> new_context(const NewNet& new_net,
                                                   const ExecutionSettings& settings,
                                                   std::vector<std::string> warnings);

}  // namespace hedge::gpu
