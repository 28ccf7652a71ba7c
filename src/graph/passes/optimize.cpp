// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "graph/passes/edit.h"
#include "graph/passes/passes.h"

namespace hedge {
namespace {

void drop_unused_values(Graph& graph) {
  std::vector<ValueId> renamed(graph.values.size(), kNoValue);
  std::vector<Value> kept;
  const auto keep = [&](ValueId& id) {
    if (id == kNoValue) return;
    ValueId& target = renamed[static_cast<std::size_t>(id)];
    if (target == kNoValue) {
      target = static_cast<ValueId>(kept.size());
      kept.push_back(std::move(graph.value(id)));
    }
    id = target;
  };
  for (GraphInput& input : graph.inputs) keep(input.value);
  for (Node& node : graph.nodes) {
    for (ValueId& id : node.inputs) keep(id);
    for (ValueId& id : node.outputs) keep(id);
    for (PostOp& post_op : node.post_ops) keep(post_op.operand);
  }
  for (ValueId& id : graph.outputs) keep(id);
  graph.values = std::move(kept);
}

}  // namespace

void optimize(Graph& graph) {
  // Fusion comes last: until then an Add may still turn out to be a bias.
  bool changed = true;
  while (changed) {
    changed = remove_dead_nodes(graph);
    changed |= remove_identities(graph);
    changed |= recognise_norms(graph);
    changed |= recognise_activations(graph);
    changed |= absorb_transposes(graph);
    changed |= absorb_pads(graph);
    changed |= fold_affine(graph);
    changed |= remove_dead_nodes(graph);
    if (!changed) changed = canonicalize(graph);
  }
  while (fuse_post_ops(graph)) remove_dead_nodes(graph);
  remove_dead_nodes(graph);
  drop_unused_values(graph);
  infer_shapes(graph);
  validate(graph);
}

}  // namespace hedge
