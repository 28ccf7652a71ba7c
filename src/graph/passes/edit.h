// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

#include "graph/graph.h"
#include "graph/operators/operator.h"

namespace hedge {

[[nodiscard]] inline bool is_op(const Node& node, std::string_view name) {
  return node.op != nullptr && node.op->name == name;
}

/// Somebody uses another output than the first.
[[nodiscard]] inline bool has_further_outputs(const Node& node) {
  return std::any_of(node.outputs.begin() + 1, node.outputs.end(),
                     [](ValueId id) { return id != kNoValue; });
}

/// Marks a node as gone; remove_dead_nodes erases it. Indices of the others stay until then.
inline void erase_node(Node& node) {
  node.op = nullptr;
  node.inputs.clear();
  node.outputs.clear();
  node.post_ops.clear();
}

/// Every reader of `from` (nodes, post-ops, outputs of the graph) reads `to` instead.
void replace_uses(Graph& graph, ValueId from, ValueId to);

/// Takes out a node whose first output equals its first input. The names of the graph's outputs
/// survive, so a node between a graph input (or constant) and a graph output stays: false.
bool bypass(Graph& graph, std::size_t node_index);

/// The node that makes `value` and is only read by `reader` (and is no output of the graph): the
/// one that `reader` may be fused into. Null otherwise.
[[nodiscard]] Node* sole_producer(Graph& graph, const GraphIndex& index, ValueId value);

/// The floats of a constant, or nothing.
[[nodiscard]] std::optional<std::span<const float>> constant_floats(const Graph& graph, ValueId id);

/// A constant of any shape that broadcasts to one number a channel: `channels` numbers for axis
/// `axis` of a tensor of rank `rank`. Nothing when it is not of that kind.
[[nodiscard]] std::optional<std::vector<float>> per_channel(const Graph& graph, ValueId id,
                                                            std::size_t rank, std::size_t axis,
                                                            std::int64_t channels);

}  // namespace hedge
