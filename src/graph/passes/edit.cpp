// SPDX-License-Identifier: Apache-2.0
#include "graph/passes/edit.h"

#include <algorithm>

namespace hedge {

void replace_uses(Graph& graph, ValueId from, ValueId to) {
  for (Node& node : graph.nodes) {
    std::replace(node.inputs.begin(), node.inputs.end(), from, to);
    for (PostOp& post_op : node.post_ops) {
      if (post_op.operand == from) post_op.operand = to;
    }
  }
  std::replace(graph.outputs.begin(), graph.outputs.end(), from, to);
}

bool bypass(Graph& graph, std::size_t node_index) {
  Node& node = graph.nodes[node_index];
  const ValueId from = node.outputs.at(0);
  const ValueId to = node.inputs.at(0);
  // One value cannot be held in two ways.
  const auto held = graph.value(from).quantization;
  if (held && graph.value(to).quantization && held != graph.value(to).quantization) return false;
  const GraphIndex index(graph);
  if (held && (index.consumers[static_cast<std::size_t>(to)].size() > 1 ||
               index.is_output[static_cast<std::size_t>(to)])) {
    return false;  // The other readers would see 8 bits too.
  }
  if (!index.is_output[static_cast<std::size_t>(from)]) {
    if (held) graph.value(to).quantization = held;
    erase_node(node);
    replace_uses(graph, from, to);
    return true;
  }
  if (graph.value(to).quantization) return false;  // The output holds rounded floats.
  const std::int32_t producer = index.producer[static_cast<std::size_t>(to)];
  if (producer < 0 || index.is_output[static_cast<std::size_t>(to)]) return false;
  erase_node(node);
  auto& outputs = graph.nodes[static_cast<std::size_t>(producer)].outputs;
  std::replace(outputs.begin(), outputs.end(), to, from);
  replace_uses(graph, to, from);
  return true;
}

Node* sole_producer(Graph& graph, const GraphIndex& index, ValueId value) {
  if (value == kNoValue) return nullptr;
  const auto at = static_cast<std::size_t>(value);
  const std::int32_t producer = index.producer[at];
  if (producer < 0 || index.is_output[at] || index.consumers[at].size() != 1) return nullptr;
  if (graph.value(value).quantization) return nullptr;  // Rounded in between.
  return &graph.nodes[static_cast<std::size_t>(producer)];
}

}  // namespace hedge
