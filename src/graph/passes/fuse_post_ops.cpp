// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "graph/passes/edit.h"
#include "graph/passes/passes.h"

namespace hedge {
namespace {

/// Operators whose kernels apply post-ops while the result is still in registers.
bool takes_post_ops(const Node& node) {
  return is_op(node, "Conv") || is_op(node, "Gemm") || is_op(node, "Add");
}

std::optional<PostOp> activation_of(const Graph& graph, const Node& node) {
  if (!node.post_ops.empty()) return std::nullopt;
  if (is_op(node, "Relu")) return PostOp{.kind = PostOp::Kind::kRelu};
  if (!is_op(node, "Clip")) return std::nullopt;
  PostOp clip{.kind = PostOp::Kind::kClip,
              .alpha = node.attributes.get_float("min", std::numeric_limits<float>::lowest()),
              .beta = node.attributes.get_float("max", std::numeric_limits<float>::max())};
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const auto bound = constant_floats(graph, node.inputs[i]);
    if (!bound || bound->size() != 1) return std::nullopt;
    (i == 1 ? clip.alpha : clip.beta) = bound->front();
  }
  return clip;
}

bool fuse_activation(Graph& graph, Node& node) {
  if (node.op == nullptr) return false;
  const auto activation = activation_of(graph, node);
  if (!activation) return false;
  const GraphIndex index(graph);
  Node* producer = sole_producer(graph, index, node.inputs[0]);
  if (producer == nullptr || !takes_post_ops(*producer) ||
      graph.value(node.outputs[0]).type.type != DataType::kFloat32) {
    return false;
  }
  producer->post_ops.push_back(*activation);
  producer->outputs[0] = node.outputs[0];
  erase_node(node);
  return true;
}

/// conv(x) + residual: into the convolution that comes last, so that the residual is there already.
bool fuse_residual(Graph& graph, Node& node) {
  if (!is_op(node, "Add") || !node.post_ops.empty()) return false;
  const TensorType& type = graph.value(node.outputs[0]).type;
  const GraphIndex index(graph);
  Node* best = nullptr;
  ValueId residual = kNoValue;
  for (std::size_t side = 0; side < 2; ++side) {
    const ValueId other = node.inputs[1 - side];
    Node* producer = sole_producer(graph, index, node.inputs[side]);
    if (producer == nullptr || !is_op(*producer, "Conv") || !producer->post_ops.empty()) continue;
    if (graph.is_constant(other) || graph.value(other).type != type ||
        graph.value(node.inputs[side]).type != type || other == node.inputs[side]) {
      continue;
    }
    const std::int32_t before = index.producer[static_cast<std::size_t>(other)];
    if (before >= index.producer[static_cast<std::size_t>(node.inputs[side])]) continue;
    best = producer;
    residual = other;
  }
  if (best == nullptr) return false;
  best->post_ops.push_back(PostOp{.kind = PostOp::Kind::kAdd, .operand = residual});
  best->outputs[0] = node.outputs[0];
  erase_node(node);
  return true;
}

}  // namespace

bool fuse_post_ops(Graph& graph) {
  bool changed = false;
  for (Node& node : graph.nodes) {
    changed |= fuse_residual(graph, node) || fuse_activation(graph, node);
  }
  return changed;
}

}  // namespace hedge
