// SPDX-License-Identifier: Apache-2.0
#include "graph/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "graph/operators/operator.h"

namespace hedge {

ValueId Graph::add_value(std::string value_name, TensorType type) {
  values.push_back({std::move(value_name), std::move(type), std::nullopt, std::nullopt});
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::add_constant(std::string value_name, Tensor tensor) {
  const ValueId id = add_value(std::move(value_name), {tensor.type(), tensor.shape()});
  value(id).constant = std::move(tensor);
  return id;
}

TensorType Graph::input_type(std::size_t index) const {
  const GraphInput& input = inputs.at(index);
  TensorType type = value(input.value).type;
  const Shape inner = type.shape;
  for (std::size_t i = 0; i < input.permutation.size(); ++i) {
    type.shape.at(static_cast<std::size_t>(input.permutation[i])) = inner.at(i);
  }
  return type;
}

GraphIndex::GraphIndex(const Graph& graph)
    : producer(graph.values.size(), -1),
      consumers(graph.values.size()),
      is_output(graph.values.size(), false) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto node = static_cast<std::int32_t>(i);
    for (const ValueId id : graph.nodes[i].outputs) {
      if (id != kNoValue) producer[static_cast<std::size_t>(id)] = node;
    }
    for (const ValueId id : graph.nodes[i].inputs) {
      if (id != kNoValue) consumers[static_cast<std::size_t>(id)].push_back(node);
    }
    for (const PostOp& post_op : graph.nodes[i].post_ops) {
      if (post_op.operand != kNoValue) {
        consumers[static_cast<std::size_t>(post_op.operand)].push_back(node);
      }
    }
  }
  for (const ValueId id : graph.outputs) is_output[static_cast<std::size_t>(id)] = true;
}

namespace {

/// What validate() keeps while it walks a graph.
class Validator {
 public:
  explicit Validator(const Graph& graph) : graph_(graph), known_(graph.values.size(), false) {}

  void run() {
    for (std::size_t i = 0; i < graph_.values.size(); ++i)
      known_[i] = graph_.values[i].constant.has_value();
    check(!graph_.outputs.empty(), "a graph without output");
    for (const GraphInput& input : graph_.inputs) {
      define(input.value);
      check_permutation(input);
    }
    for (const Node& node : graph_.nodes) check_node(node);
    for (const ValueId id : graph_.outputs) use(id);
  }

 private:
  static void check(bool condition, const std::string& message) {
    if (!condition) throw bad_input(message);
  }
  std::size_t in_range(ValueId id) const {
    check(id >= 0 && static_cast<std::size_t>(id) < known_.size(),
          fmt::format("value {} does not exist", id));
    return static_cast<std::size_t>(id);
  }
  void use(ValueId id) const {
    check(known_[in_range(id)],
          fmt::format("value {} is read before it is made", graph_.value(id).name));
  }
  void define(ValueId id) {
    check(!known_[in_range(id)], fmt::format("value {} is made twice", graph_.value(id).name));
    known_[static_cast<std::size_t>(id)] = true;
  }
  void check_permutation(const GraphInput& input) const {
    if (input.permutation.empty()) return;
    auto sorted = input.permutation;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      check(sorted[i] == static_cast<std::int64_t>(i), "an input's permutation is none");
    }
    check(sorted.size() == graph_.value(input.value).type.shape.size(),
          "an input's permutation does not fit");
  }
  void check_node(const Node& node) {
    check(node.op != nullptr && !node.outputs.empty(),
          fmt::format("node {} has no operator or output", node.name));
    const auto inputs = static_cast<int>(node.inputs.size());
    check(
        inputs >= node.op->min_inputs && (node.op->max_inputs < 0 || inputs <= node.op->max_inputs),
        fmt::format("node {} ({}) has {} inputs", node.name, node.op->name, inputs));
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != kNoValue) {
        use(node.inputs[i]);
      } else {
        check(static_cast<int>(i) >= node.op->min_inputs,
              fmt::format("node {} ({}) lacks input {}", node.name, node.op->name, i));
      }
    }
    for (const PostOp& post_op : node.post_ops) {
      check((post_op.kind == PostOp::Kind::kAdd) == (post_op.operand != kNoValue),
            "a post-op's operand");
      if (post_op.operand != kNoValue) use(post_op.operand);
    }
    for (const ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      // An evaluated node's outputs are constants already.
      if (in_range(id) < known_.size() && graph_.value(id).constant) continue;
      define(id);
    }
  }

  const Graph& graph_;
  std::vector<bool> known_;
};

}  // namespace

void validate(const Graph& graph) {
  Validator(graph).run();
}

std::int64_t multiply_accumulates(const Graph& graph, const Node& node) {
  if (node.op->macs == nullptr) return 0;
  std::vector<const Value*> inputs;
  for (const ValueId id : node.inputs) {
    inputs.push_back(id == kNoValue ? nullptr : &graph.value(id));
  }
  return node.op->macs(node, inputs, graph.value(node.outputs.at(0)).type);
}

std::int64_t multiply_accumulates(const Graph& graph) {
  std::int64_t total = 0;
  for (const Node& node : graph.nodes) total += multiply_accumulates(graph, node);
  return total;
}

std::int64_t parameter_count(const Graph& graph) {
  std::int64_t total = 0;
  for (const Value& value : graph.values) {
    if (value.constant && value.type.type == DataType::kFloat32) total += value.constant->size();
  }
  return total;
}

}  // namespace hedge
