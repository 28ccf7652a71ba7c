// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "backends/cpu/plan.h"
#include "base/transient_heap.h"
#include "hedge/engine.h"

namespace hedge::cpu {

/// Runs a plan: addresses are bound once, infer() only calls primitives.
class CpuContext final : public ExecutionContext, public LayerProfiler {
 public:
  explicit CpuContext(std::shared_ptr<const Plan> plan);

  [[nodiscard]] std::span<float> input() override;
  [[nodiscard]] std::size_t output_count() const override { return outputs_.size(); }
  [[nodiscard]] std::span<const float> output(std::size_t index) const override;
  void infer() override;
  [[nodiscard]] MemoryUse memory() const override;
  [[nodiscard]] std::vector<std::string> warnings() const override { return warnings_of(*plan_); }

  [[nodiscard]] std::vector<Layer> layers() const override;
  void infer_profiled(std::span<std::int64_t> layer_ns) override;

 private:
  /// A primitive with what oneDNN's C interface takes (the C++ one builds a vector of it in each
  /// call), or a kernel of our own with its addresses.
  struct BoundStep {
    const_dnnl_primitive_t primitive = nullptr;
    std::vector<dnnl_exec_arg_t> arguments;
    Kernel own;
    std::vector<std::byte*> buffers;
  };

  [[nodiscard]] std::byte* address_of(const Storage& storage);
  void bind();
  void run(const BoundStep& step);

  std::shared_ptr<const Plan> plan_;
  dnnl::stream stream_;
  std::shared_ptr<std::byte> arena_;
  std::shared_ptr<std::byte> input_;
  std::vector<std::shared_ptr<std::byte>> outputs_;
  std::vector<dnnl::memory> memories_;
  std::vector<BoundStep> steps_;
  TransientHeap heap_;
};

}  // namespace hedge::cpu
