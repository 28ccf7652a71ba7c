// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"
#include "graph/query.h"

namespace hedge {

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

/// The node that makes `value`, where that has one reader, is no output of the graph and not
/// rounded to 8 bits: the one that the reader may be fused into. Null otherwise.
[[nodiscard]] Node* sole_producer(Graph& graph, const GraphIndex& index, ValueId value);

}  // namespace hedge
