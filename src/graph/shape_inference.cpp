// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "graph/graph.h"
#include "graph/operators/common.h"
#include "graph/reference_executor.h"

namespace hedge {
namespace {

/// Constants that a graph computes beyond this are no shapes or weights of a small net but an
/// attack or a mistake.
constexpr std::int64_t kMaxEvaluated = std::int64_t{1} << 26;
/// A larger constant than this that a node makes out of fewer elements is left for the run.
constexpr std::int64_t kMaxGrown = std::int64_t{1} << 20;
/// Nodes that take more steps than this are left for the run.
constexpr std::int64_t kMaxSteps = std::int64_t{1} << 28;

std::string describe(const Graph& graph, std::size_t index) {
  const Node& node = graph.nodes[index];
  return fmt::format("{} ({})", node.name.empty() ? fmt::format("node {}", index) : node.name,
                     node.op->name);
}

class Inference {
 public:
  explicit Inference(Graph& graph) : graph_(graph), failed_(graph.values.size(), false) {}

  void run() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) infer(i);
    if (!problems_.empty()) throw bad_input(problems_);
  }

 private:
  /// Readers of what a wrong node should have made are not wrong themselves.
  [[nodiscard]] bool depends_on_failure(const Node& node) const {
    const auto failed = [&](ValueId id) {
      return id != kNoValue && failed_[static_cast<std::size_t>(id)];
    };
    return std::any_of(node.inputs.begin(), node.inputs.end(), failed) ||
           std::any_of(node.post_ops.begin(), node.post_ops.end(),
                       [&](const PostOp& post_op) { return failed(post_op.operand); });
  }

  void infer(std::size_t index) {
    Node& node = graph_.nodes[index];
    try {
      if (!depends_on_failure(node)) {
        infer_types(node);
        evaluate_if_known(node);
        return;
      }
    } catch (const Error& error) {
      problems_ += fmt::format("{}{}: {}", problems_.empty() ? "" : "; ", describe(graph_, index),
                               error.what());
    }
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) failed_[static_cast<std::size_t>(id)] = true;
    }
  }

  void infer_types(Node& node) {
    std::vector<const Value*> inputs;
    for (const ValueId id : node.inputs)
      inputs.push_back(id == kNoValue ? nullptr : &graph_.value(id));
    const std::vector<TensorType> types = node.op->infer(node, inputs);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (id == kNoValue) continue;
      if (i >= types.size()) throw bad_input(fmt::format("output {} is not supported", i));
      (void)element_count(types[i].shape);
      graph_.value(id).type = types[i];
    }
    for (const PostOp& post_op : node.post_ops) {
      if (post_op.operand == kNoValue) continue;
      const TensorType& operand = graph_.value(post_op.operand).type;
      if (operand.type != types.at(0).type ||
          operators::broadcast(operand.shape, types[0].shape) != types[0].shape) {
        throw bad_input("a post-op's operand does not fit the result");
      }
    }
  }

  [[nodiscard]] std::int64_t steps(const Node& node) const {
    const auto count = node.op->macs != nullptr ? node.op->macs : node.op->steps;
    if (count == nullptr || node.outputs[0] == kNoValue) return 0;
    std::vector<const Value*> inputs;
    for (const ValueId id : node.inputs)
      inputs.push_back(id == kNoValue ? nullptr : &graph_.value(id));
    return count(node, inputs, graph_.value(node.outputs[0]).type);
  }

  /// What is known before the run becomes a constant: shapes computed in the graph, mostly.
  void evaluate_if_known(Node& node) {
    const bool only_shape_matters = node.op->name == "Shape" || node.op->name == "Size";
    std::vector<Tensor> inputs;
    for (const ValueId id : node.inputs) {
      if (id == kNoValue) {
        inputs.emplace_back();
      } else if (graph_.is_constant(id)) {
        inputs.push_back(*graph_.value(id).constant);
      } else if (only_shape_matters) {
        // Any tensor of the shape will do, and of one byte an element it is cheap.
        if (element_count(graph_.value(id).type.shape) > kMaxEvaluated) return;
        inputs.emplace_back(DataType::kInt8, graph_.value(id).type.shape);
      } else {
        return;
      }
    }
    if (!node.post_ops.empty() || steps(node) > kMaxSteps) return;
    std::int64_t given = 0;
    for (const Tensor& input : inputs) given += input.size();
    for (const ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      const Shape& shape = graph_.value(id).type.shape;
      if (element_count(shape) > kMaxEvaluated) {
        throw bad_input(fmt::format("computes a constant of shape {}", to_string(shape)));
      }
      if (element_count(shape) > std::max(kMaxGrown, given)) return;
    }
    const std::vector<Tensor> outputs = execute_node(node, inputs, {});
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) graph_.value(node.outputs[i]).constant = outputs.at(i);
    }
  }

  Graph& graph_;
  std::vector<bool> failed_;
  std::string problems_;
};

/// A constant that is the target of a Reshape of batched data, with the batch written into it.
void rebatch_reshape(Graph& graph, Node& node, std::int64_t before, std::int64_t after) {
  if (node.op->name != "Reshape" || node.inputs.size() < 2 || !graph.is_constant(node.inputs[1]))
    return;
  if (graph.is_constant(node.inputs[0])) return;
  const Shape& data = graph.value(node.inputs[0]).type.shape;
  std::vector<std::int64_t> target = graph.value(node.inputs[1]).constant->to_int64();
  if (data.empty() || data[0] != before || target.empty() || target[0] != before) return;
  target[0] = after;
  node.inputs[1] = graph.add_constant(
      node.name + ".shape",
      Tensor::from<std::int64_t>({static_cast<std::int64_t>(target.size())}, target));
}

}  // namespace

void infer_shapes(Graph& graph) {
  Inference(graph).run();
}

void set_batch(Graph& graph, std::int64_t batch) {
  if (graph.inputs.empty()) throw bad_input("a graph without input");
  const Shape outer = graph.input_type(0).shape;
  if (outer.empty() || batch < 1) throw bad_input(fmt::format("a batch of {}", batch));
  const std::int64_t before = outer[0];
  if (before == batch) return;
  for (Node& node : graph.nodes) rebatch_reshape(graph, node, before, batch);
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const GraphInput& input = graph.inputs[i];
    const Shape shape = graph.input_type(i).shape;
    if (shape.empty() || shape[0] != before) continue;  // Not one that has images.
    const auto axis = input.permutation.empty()
                          ? 0
                          : std::find(input.permutation.begin(), input.permutation.end(), 0) -
                                input.permutation.begin();
    graph.value(input.value).type.shape.at(static_cast<std::size_t>(axis)) = batch;
  }
  const std::string advice = fmt::format(
      "the model cannot be run with batch {} as it stands; build one with `build_engine "
      "--engine_batch_size={}`",
      batch, batch);
  try {
    infer_shapes(graph);
  } catch (const Error& error) {
    throw bad_input(fmt::format("{} ({})", advice, error.what()));
  }
  for (const ValueId id : graph.outputs) {
    const Shape& shape = graph.value(id).type.shape;
    if (shape.empty() || shape[0] != batch) throw bad_input(advice);
  }
}

}  // namespace hedge
