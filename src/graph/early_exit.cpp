// SPDX-License-Identifier: Apache-2.0
#include "graph/early_exit.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace hedge {
namespace {

template <class Visit>
void for_each_read(const Node& node, const Visit& visit) {
  for (const ValueId id : node.inputs) {
    if (id != kNoValue) visit(static_cast<std::size_t>(id));
  }
  for (const PostOp& post_op : node.post_ops) {
    if (post_op.operand != kNoValue) visit(static_cast<std::size_t>(post_op.operand));
  }
}

template <class Visit>
void for_each_made(const Node& node, const Visit& visit) {
  for (const ValueId id : node.outputs) {
    if (id != kNoValue) visit(static_cast<std::size_t>(id));
  }
}

/// By node: whether `value` depends on it. Nodes are in topological order.
std::vector<bool> needed_by(const Graph& graph, ValueId value) {
  std::vector<bool> wanted(graph.values.size(), false);
  wanted.at(static_cast<std::size_t>(value)) = true;
  std::vector<bool> needed(graph.nodes.size(), false);
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    for_each_made(graph.nodes[i], [&](std::size_t id) { needed[i] = needed[i] || wanted[id]; });
    if (needed[i]) for_each_read(graph.nodes[i], [&](std::size_t id) { wanted[id] = true; });
  }
  return needed;
}

}  // namespace

void order_stem_first(Graph& graph, ValueId exit) {
  const std::vector<bool> needed = needed_by(graph, exit);
  std::vector<Node> ordered;
  ordered.reserve(graph.nodes.size());
  for (const bool stem : {true, false}) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (needed[i] == stem) ordered.push_back(std::move(graph.nodes[i]));
    }
  }
  graph.nodes = std::move(ordered);
}

std::size_t stem_length(const Graph& graph, ValueId exit) {
  const std::vector<bool> needed = needed_by(graph, exit);
  const auto last = std::find(needed.rbegin(), needed.rend(), true);
  return static_cast<std::size_t>(std::distance(last, needed.rend()));
}

std::vector<ValueId> cut_values(const Graph& graph, std::size_t stem) {
  std::vector<bool> made(graph.values.size(), false);
  std::vector<bool> read(graph.values.size(), false);
  for (const GraphInput& input : graph.inputs) made[static_cast<std::size_t>(input.value)] = true;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (i < stem) {
      for_each_made(node, [&](std::size_t id) { made[id] = true; });
    } else {
      for_each_read(node, [&](std::size_t id) { read[id] = true; });
    }
  }
  std::vector<ValueId> cut;
  for (std::size_t id = 0; id < made.size(); ++id) {
    if (made[id] && read[id] && !graph.values[id].constant) cut.push_back(static_cast<ValueId>(id));
  }
  return cut;
}

std::int64_t multiply_accumulates_of(const Graph& graph, ValueId value, ValueId other) {
  const std::vector<bool> needed = needed_by(graph, value);
  const std::vector<bool> known =
      other == kNoValue ? std::vector<bool>(graph.nodes.size(), false) : needed_by(graph, other);
  std::int64_t total = 0;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (needed[i] && !known[i]) total += multiply_accumulates(graph, graph.nodes[i]);
  }
  return total;
}

}  // namespace hedge
