// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "graph/passes/edit.h"
#include "graph/passes/passes.h"

namespace hedge {
namespace {

/// Whether input `index` is absent, or known and all `value`.
bool all_are(const Graph& graph, const Node& node, std::size_t index, std::int64_t value) {
  if (index >= node.inputs.size() || node.inputs[index] == kNoValue) return true;
  if (!graph.is_constant(node.inputs[index])) return false;
  const auto values = graph.value(node.inputs[index]).constant->to_int64();
  return std::all_of(values.begin(), values.end(), [&](std::int64_t v) { return v == value; });
}

/// Pads of 0, and slices from 0 in steps of 1. The shapes alone do not tell: a flip keeps them too.
bool keeps_every_place(const Graph& graph, const Node& node) {
  if (is_op(node, "Pad")) {
    const auto pads = node.attributes.get_ints("pads");
    return all_are(graph, node, 1, 0) &&
           std::all_of(pads.begin(), pads.end(), [](std::int64_t pad) { return pad == 0; });
  }
  const auto starts = node.attributes.get_ints("starts");
  return all_are(graph, node, 1, 0) && all_are(graph, node, 4, 1) &&
         std::all_of(starts.begin(), starts.end(), [](std::int64_t start) { return start == 0; });
}

bool moves_nothing(const Graph& graph, const Node& node) {
  if (!node.post_ops.empty() || node.inputs.empty() || node.inputs[0] == kNoValue) return false;
  if (has_further_outputs(node)) return false;  // A Dropout's mask, moments.
  if (is_op(node, "Identity") || is_op(node, "Dropout")) return true;
  const TensorType& in = graph.value(node.inputs[0]).type;
  const TensorType& out = graph.value(node.outputs.at(0)).type;
  if (is_op(node, "Cast")) return in.type == out.type;
  if (is_op(node, "Reshape") || is_op(node, "Flatten") || is_op(node, "Squeeze") ||
      is_op(node, "Unsqueeze")) {
    return in == out;
  }
  if (is_op(node, "Pad") || is_op(node, "Slice")) {
    return in == out && keeps_every_place(graph, node);
  }
  if (is_op(node, "Expand") || is_op(node, "Tile") || is_op(node, "CastLike")) return in == out;
  if (is_op(node, "Concat") || is_op(node, "Sum") || is_op(node, "Mean") || is_op(node, "Max") ||
      is_op(node, "Min")) {
    return node.inputs.size() == 1;
  }
  if (is_op(node, "Transpose")) {
    const auto perm = node.attributes.get_ints("perm");
    return !perm.empty() && std::is_sorted(perm.begin(), perm.end());
  }
  return false;
}

bool all_known(const Graph& graph, const Node& node) {
  return std::all_of(node.outputs.begin(), node.outputs.end(),
                     [&](ValueId id) { return id == kNoValue || graph.is_constant(id); });
}

}  // namespace

bool remove_identities(Graph& graph) {
  bool changed = false;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (graph.nodes[i].op != nullptr && moves_nothing(graph, graph.nodes[i])) {
      changed |= bypass(graph, i);
    }
  }
  return changed;
}

bool remove_dead_nodes(Graph& graph) {
  const std::size_t before = graph.nodes.size();
  for (Node& node : graph.nodes) {
    if (node.op != nullptr && all_known(graph, node)) erase_node(node);
  }
  // Backwards, so that a chain that leads nowhere goes in one sweep.
  std::vector<bool> used(graph.values.size(), false);
  for (const ValueId id : graph.outputs) used[static_cast<std::size_t>(id)] = true;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool needed = std::any_of(node->outputs.begin(), node->outputs.end(), [&](ValueId id) {
      return id != kNoValue && used[static_cast<std::size_t>(id)];
    });
    if (!needed) {
      erase_node(*node);
      continue;
    }
    for (const ValueId id : node->inputs) {
      if (id != kNoValue) used[static_cast<std::size_t>(id)] = true;
    }
    for (const PostOp& post_op : node->post_ops) {
      if (post_op.operand != kNoValue) used[static_cast<std::size_t>(post_op.operand)] = true;
    }
  }
  std::erase_if(graph.nodes, [](const Node& node) { return node.op == nullptr; });
  return graph.nodes.size() != before;
}

}  // namespace hedge
