// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "graph/passes/edit.h"
#include "graph/passes/passes.h"
#include "graph/post_op.h"

namespace hedge {
namespace {

using Permutation = std::vector<std::int64_t>;

Permutation permutation_of(const Node& node) {
  return node.attributes.get_ints("perm");
}

/// transpose(transpose(x, first), second) = transpose(x, compose(first, second))
Permutation compose(const Permutation& first, const Permutation& second) {
  Permutation both;
  for (const std::int64_t axis : second) both.push_back(first.at(static_cast<std::size_t>(axis)));
  return both;
}

bool into_graph_input(Graph& graph, const GraphIndex& index, Node& node) {
  const ValueId from = node.inputs[0];
  for (GraphInput& input : graph.inputs) {
    if (input.value != from || index.consumers[static_cast<std::size_t>(from)].size() != 1 ||
        index.is_output[static_cast<std::size_t>(from)] ||
        index.is_output[static_cast<std::size_t>(node.outputs[0])]) {
      continue;
    }
    // The input becomes what the transpose made of it, rounding to 8 bits included.
    const auto& held = graph.value(node.outputs[0]).quantization;
    auto& before = graph.value(from).quantization;
    if (held && before && held != before) continue;
    if (held) before = held;
    const Permutation perm = permutation_of(node);
    input.permutation = input.permutation.empty() ? perm : compose(input.permutation, perm);
    // The input keeps its value and so its name; only its shape changes.
    graph.value(from).type.shape = graph.value(node.outputs[0]).type.shape;
    const ValueId gone = node.outputs[0];
    erase_node(node);
    replace_uses(graph, gone, from);
    return true;
  }
  return false;
}

bool into_producer(Graph& graph, const GraphIndex& index, Node& node) {
  const std::int32_t producer = index.producer[static_cast<std::size_t>(node.inputs[0])];
  if (producer < 0) return false;
  const Node& before = graph.nodes[static_cast<std::size_t>(producer)];
  if (!is_op(before, "Transpose") || !before.post_ops.empty()) return false;
  if (graph.value(node.inputs[0]).quantization) return false;  // Rounded in between.
  node.attributes.set("perm", compose(permutation_of(before), permutation_of(node)));
  node.inputs[0] = before.inputs[0];
  return true;
}

/// The transpose moves only axes of extent 1: a reshape.
bool to_reshape(Graph& graph, Node& node) {
  const TensorType in = graph.value(node.inputs[0]).type;
  const Shape out = graph.value(node.outputs[0]).type.shape;
  const Permutation perm = permutation_of(node);
  std::int64_t last = -1;
  for (const std::int64_t axis : perm) {
    if (in.shape.at(static_cast<std::size_t>(axis)) == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  const ValueId target =
      graph.add_constant(node.name + ".shape",
                         Tensor::from<std::int64_t>({static_cast<std::int64_t>(out.size())}, out));
  node.op = &get_operator("Reshape");
  node.attributes = {};
  node.inputs = {node.inputs[0], target};
  return true;
}

/// Whether the node is a function of each element of `x` and of nothing else that varies.
bool is_elementwise(const Graph& graph, const Node& node, ValueId x) {
  if (node.op == nullptr || has_further_outputs(node)) return false;
  const auto activation = activation_of(graph, node);
  if (activation && activation->varying == x) return true;
  if (!node.op->pointwise || node.inputs[0] != x) return false;
  // Its other inputs must be there where it moves to.
  return std::all_of(node.inputs.begin() + 1, node.inputs.end(),
                     [&](ValueId id) { return id == kNoValue || graph.is_constant(id); }) &&
         std::all_of(node.post_ops.begin(), node.post_ops.end(),
                     [](const PostOp& post_op) { return post_op.kind != PostOp::Kind::kAdd; });
}

/// transpose then f = f then transpose, for elementwise f: moves the transpose down, towards
/// another that undoes it.
bool below_unary(Graph& graph, const GraphIndex& index, Node& node) {
  const auto out = static_cast<std::size_t>(node.outputs[0]);
  if (index.is_output[out] || index.consumers[out].size() != 1) return false;
  if (graph.value(node.outputs[0]).quantization) return false;  // Rounded in between.
  Node& reader = graph.nodes[static_cast<std::size_t>(index.consumers[out][0])];
  if (!is_elementwise(graph, reader, node.outputs[0])) return false;
  const ValueId between = graph.add_value(
      reader.name + ".transposed",
      {graph.value(reader.outputs[0]).type.type, graph.value(node.inputs[0]).type.shape});
  std::replace(reader.inputs.begin(), reader.inputs.end(), node.outputs[0], node.inputs[0]);
  node.inputs[0] = between;
  node.outputs[0] = reader.outputs[0];
  reader.outputs[0] = between;
  std::swap(node, reader);  // In their order in the list: the elementwise node comes first now.
  return true;
}

/// add(transpose(a), transpose(b)) = transpose(add(a, b)).
bool below_binary(Graph& graph, std::size_t node_index) {
  Node& node = graph.nodes[node_index];
  if (!is_op(node, "Add") || !node.post_ops.empty()) return false;
  const GraphIndex index(graph);
  std::array<Node*, 2> sides{};
  for (std::size_t i = 0; i < 2; ++i) {
    sides.at(i) = sole_producer(graph, index, node.inputs[i]);
    if (sides.at(i) == nullptr || !is_op(*sides.at(i), "Transpose")) return false;
  }
  const Permutation perm = permutation_of(*sides[0]);
  if (sides[0] == sides[1] || perm != permutation_of(*sides[1]) ||
      graph.value(sides[0]->inputs[0]).type != graph.value(sides[1]->inputs[0]).type) {
    return false;
  }
  const TensorType type = graph.value(sides[0]->inputs[0]).type;
  const ValueId sum = graph.add_value(node.name + ".transposed", type);
  Node transpose = *sides[1];
  transpose.inputs[0] = sum;
  transpose.outputs[0] = node.outputs[0];
  node.inputs = {sides[0]->inputs[0], sides[1]->inputs[0]};
  node.outputs[0] = sum;
  erase_node(*sides[0]);
  erase_node(*sides[1]);
  graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(node_index) + 1,
                     std::move(transpose));
  return true;
}

bool absorb_one(Graph& graph, std::size_t i) {
  Node& node = graph.nodes[i];
  if (!is_op(node, "Transpose") || !node.post_ops.empty()) return false;
  if (!node.attributes.has("perm")) {  // ONNX: the default reverses the axes.
    Permutation reversed(graph.value(node.inputs[0]).type.shape.size());
    for (std::size_t a = 0; a < reversed.size(); ++a) {
      reversed[a] = static_cast<std::int64_t>(reversed.size() - 1 - a);
    }
    node.attributes.set("perm", reversed);
  }
  const GraphIndex index(graph);
  return into_graph_input(graph, index, node) || into_producer(graph, index, node) ||
         to_reshape(graph, node) || below_unary(graph, index, node);
}

}  // namespace

bool absorb_transposes(Graph& graph) {
  bool changed = false;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    changed |= absorb_one(graph, i) || below_binary(graph, i);
  }
  return changed;
}

}  // namespace hedge
