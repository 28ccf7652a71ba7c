// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "backends/cpu/plan.h"
#include "base/transient_heap.h"
#include "hedge/engine.h"

namespace hedge::cpu {

/// Runs a plan: addresses are bound once, infer() only calls primitives.
class CpuContext : public ExecutionContext, public LayerProfiler {
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

 protected:
  /// The steps from number `first` up to `end`.
  void run(std::size_t first, std::size_t end);
  [[nodiscard]] const Plan& plan() const { return *plan_; }

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

/// Of a net with an early exit. Both parts work in one arena: what the tail needs lies where the
/// stem left it, in whatever layout and precision, and nothing is copied.
class CpuEarlyExitContext final : public CpuContext, public EarlyExitContext {
 public:
  using CpuContext::CpuContext;
  void run_stem() override { run(0, plan().stem_steps); }
  void run_tail() override { run(plan().stem_steps, plan().steps.size()); }
  [[nodiscard]] std::size_t stem_layers() const override { return plan().stem_steps; }
};

}  // namespace hedge::cpu
