// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "backends/cpu/plan.h"
#include "graph/graph.h"

namespace hedge::cpu {

/// Where a value is and how it lies there.
struct Located {
  Desc desc;
  std::size_t storage = 0;
};

/// Turns the nodes of one graph into steps, in order. One object compiles one plan.
class Compiler {
 public:
  Compiler(const Graph& graph, const PlanOptions& options);
  [[nodiscard]] std::shared_ptr<const Plan> run();

  /// Implementations seen for each kind of convolution (filled by run()).
  [[nodiscard]] const std::map<std::string, std::vector<std::string>>& tactics_seen() const {
    return tactics_seen_;
  }

 private:
  void compile(const Node& node);
  void compile_convolution(const Node& node);
  void compile_gemm(const Node& node);
  void compile_pooling(const Node& node);
  void compile_softmax(const Node& node);
  void compile_add(const Node& node);
  void compile_activation(const Node& node);
  void compile_concat(const Node& node);
  void compile_transpose(const Node& node);
  void compile_view(const Node& node);
  void place_outputs();

  // Values. `located` is what a value's producer left, or a constant's plain form.
  [[nodiscard]] Located locate(ValueId id);
  [[nodiscard]] Located with_desc(ValueId id, const Desc& wanted, const std::string& why);
  void produce(ValueId id, const Located& located);
  [[nodiscard]] std::size_t add_storage(std::size_t bytes);
  [[nodiscard]] std::size_t add_weights(dnnl::memory memory);
  [[nodiscard]] std::size_t constant_weights(ValueId id, const Desc& plain, const Desc& wanted);

  // Post-ops of a node: the attribute, and the buffer that the residual sum goes into.
  struct PostOps {
    dnnl::primitive_attr attr;
    ValueId residual = kNoValue;
    std::string text;  ///< "+add+relu"
  };
  [[nodiscard]] PostOps post_ops(const Node& node) const;
  /// Storage for the result of `node`: the residual's own where nobody needs that afterwards, else
  /// a copy of it; a new one where there is no residual.
  [[nodiscard]] std::size_t result_storage(const Node& node, const Desc& dst, ValueId residual,
                                           std::size_t source_storage);
  void add_step(const Node& node, const AnyPrimitive& any, std::vector<Argument> arguments,
                const std::string& suffix);
  void add_reorder(const std::string& name, const Located& from, const Located& to);
  [[nodiscard]] dnnl::convolution_forward::primitive_desc choose_convolution(
      const Node& node, const Desc& src, const Desc& weights, const Desc& bias, const Desc& dst,
      const Window& window, const dnnl::primitive_attr& attr);

  const Graph& graph_;
  PlanOptions options_;
  std::shared_ptr<Plan> plan_;
  dnnl::stream stream_;
  std::size_t node_index_ = 0;
  std::vector<std::vector<Located>> forms_;    ///< By value: each layout that it exists in.
  std::vector<std::size_t> last_use_;          ///< By value: index of the last node that reads it.
  std::vector<std::size_t> storage_last_use_;  ///< By storage, in the same count.
  std::map<std::string, std::vector<std::string>> tactics_seen_;
};

/// Whether there is a kernel for the node; the reason where not.
[[nodiscard]] std::string why_unsupported(const Graph& graph, const Node& node);

/// The window of a Conv or pooling node on a plane, auto_pad and ceil_mode resolved.
[[nodiscard]] Window window_of(const Node& node, const Dims& kernel, const Shape& in,
                               const Shape& out);

}  // namespace hedge::cpu
