// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "graph/passes/edit.h"
#include "graph/passes/passes.h"
#include "graph/post_op.h"

namespace hedge {
namespace {

constexpr std::array<std::string_view, 10> kTakers{"Conv", "Gemm", "MatMul", "Add", "Sub",
                                                   "Mul",  "Div",  "Min",    "Max", "Identity"};

/// Operators whose kernels apply post-ops while the result is still in registers.
bool takes_post_ops(const Node& node) {
  if (std::find(kTakers.begin(), kTakers.end(), node.op->name) == kTakers.end()) return false;
  return !is_op(node, "Identity") || !node.post_ops.empty();
}

/// What the node does to its input, where that is all that it does.
std::optional<Activation> only_activates(const Graph& graph, const Node& node) {
  if (!is_op(node, "Identity") || node.post_ops.size() != 1) return activation_of(graph, node);
  if (node.post_ops[0].kind == PostOp::Kind::kAdd) return std::nullopt;
  return Activation{node.post_ops[0], node.inputs[0]};
}

bool fuse_activation(Graph& graph, Node& node) {
  if (node.op == nullptr) return false;
  const auto activation = only_activates(graph, node);
  if (!activation) return false;
  const GraphIndex index(graph);
  Node* producer = sole_producer(graph, index, activation->varying);
  if (producer == nullptr || producer->op == nullptr || !takes_post_ops(*producer) ||
      graph.value(node.outputs[0]).type.type != DataType::kFloat32) {
    return false;
  }
  producer->post_ops.push_back(activation->post_op);
  producer->outputs[0] = node.outputs[0];
  erase_node(node);
  return true;
}

/// matmul(x, w) + bias, a constant of any shape that broadcasts.
bool fuse_bias(Graph& graph, Node& node) {
  if (!is_op(node, "Add") || !node.post_ops.empty()) return false;
  const GraphIndex index(graph);
  for (std::size_t side = 0; side < 2; ++side) {
    const ValueId bias = node.inputs[1 - side];
    Node* producer = sole_producer(graph, index, node.inputs[side]);
    if (producer == nullptr || !is_op(*producer, "MatMul") || !producer->post_ops.empty() ||
        !constant_floats(graph, bias) ||
        graph.value(node.inputs[side]).type != graph.value(node.outputs[0]).type) {
      continue;
    }
    producer->post_ops.push_back({.kind = PostOp::Kind::kAdd, .operand = bias});
    producer->outputs[0] = node.outputs[0];
    erase_node(node);
    return true;
  }
  return false;
}

/// Whether a residual may be added: nothing but constants has been yet.
bool takes_residual(const Graph& graph, const Node& node) {
  if (is_op(node, "Conv") || is_op(node, "Gemm")) return node.post_ops.empty();
  return is_op(node, "MatMul") &&
         std::all_of(node.post_ops.begin(), node.post_ops.end(), [&](const PostOp& post_op) {
           return post_op.kind == PostOp::Kind::kAdd && graph.is_constant(post_op.operand);
         });
}

/// conv(x) + residual: into the convolution (or matrix product) that comes last, so that the
/// residual is there already.
bool fuse_residual(Graph& graph, Node& node) {
  if (!is_op(node, "Add") || !node.post_ops.empty()) return false;
  const TensorType& type = graph.value(node.outputs[0]).type;
  const GraphIndex index(graph);
  Node* best = nullptr;
  ValueId residual = kNoValue;
  for (std::size_t side = 0; side < 2; ++side) {
    const ValueId other = node.inputs[1 - side];
    Node* producer = sole_producer(graph, index, node.inputs[side]);
    if (producer == nullptr || !takes_residual(graph, *producer)) continue;
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
    changed |= fuse_bias(graph, node) || fuse_residual(graph, node) || fuse_activation(graph, node);
  }
  return changed;
}

}  // namespace hedge
