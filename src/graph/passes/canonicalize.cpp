// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "graph/passes/edit.h"
#include "graph/passes/passes.h"

namespace hedge {
namespace {

bool matmul_to_gemm(Graph& graph, Node& node) {
  if (!is_op(node, "MatMul") || !graph.is_constant(node.inputs[1])) return false;
  if (graph.value(node.inputs[0]).type.shape.size() != 2 ||
      graph.value(node.inputs[1]).type.shape.size() != 2) {
    return false;
  }
  node.op = &get_operator("Gemm");
  return true;
}

bool sum_to_add(Node& node) {
  if (!is_op(node, "Sum") || node.inputs.size() != 2) return false;
  node.op = &get_operator("Add");
  return true;
}

/// ReduceMean over the plane; where its axes go away, a Flatten takes them.
bool reduce_mean_to_pool(Graph& graph, std::size_t i) {
  Node& node = graph.nodes[i];
  if (!is_op(node, "ReduceMean")) return false;
  const TensorType& type = graph.value(node.inputs[0]).type;
  if (type.type != DataType::kFloat32 || type.shape.size() != 4) return false;
  auto axes = node.attributes.get_ints("axes");
  if (node.inputs.size() > 1 && node.inputs[1] != kNoValue) {
    if (!graph.is_constant(node.inputs[1])) return false;
    axes = graph.value(node.inputs[1]).constant->to_int64();
  }
  for (auto& axis : axes) axis = axis < 0 ? axis + 4 : axis;
  std::sort(axes.begin(), axes.end());
  if (axes != std::vector<std::int64_t>{2, 3}) return false;
  const bool flat = node.attributes.get_int("keepdims", 1) != 1;
  node.op = &get_operator("GlobalAveragePool");
  node.attributes = {};
  node.inputs.resize(1);
  if (!flat) return true;
  Node flatten;
  flatten.name = node.name + ".flat";
  flatten.op = &get_operator("Flatten");
  flatten.outputs = node.outputs;
  const Shape& in = graph.value(node.inputs[0]).type.shape;
  node.outputs = {
      graph.add_value(node.name + ".pooled", {DataType::kFloat32, {in[0], in[1], 1, 1}})};
  flatten.inputs = node.outputs;
  graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::move(flatten));
  return true;
}

/// y = (x - mean) / sqrt(variance + epsilon) * scale + bias, as one depthwise convolution, which
/// then takes post-ops as any other.
bool batch_norm_to_conv(Graph& graph, Node& node) {
  if (!is_op(node, "BatchNormalization")) return false;
  const Shape shape = graph.value(node.inputs[0]).type.shape;
  if (shape.size() != 4) return false;
  const auto scale = constant_floats(graph, node.inputs[1]);
  const auto bias = constant_floats(graph, node.inputs[2]);
  const auto mean = constant_floats(graph, node.inputs[3]);
  const auto variance = constant_floats(graph, node.inputs[4]);
  if (!scale || !bias || !mean || !variance) return false;
  const double epsilon = node.attributes.get_float("epsilon", 1e-5F);
  const std::int64_t channels = shape[1];
  Tensor weights(DataType::kFloat32, {channels, 1, 1, 1});
  Tensor shift(DataType::kFloat32, {channels});
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    const double factor = (*scale)[c] / std::sqrt((*variance)[c] + epsilon);
    weights.mutable_values<float>()[c] = static_cast<float>(factor);
    shift.mutable_values<float>()[c] = static_cast<float>((*bias)[c] - (*mean)[c] * factor);
  }
  const ValueId w = graph.add_constant(node.name + ".weight", std::move(weights));
  const ValueId b = graph.add_constant(node.name + ".bias", std::move(shift));
  node.op = &get_operator("Conv");
  node.attributes = {};
  node.attributes.set("group", channels);
  node.inputs = {node.inputs[0], w, b};
  node.outputs.resize(1);
  return true;
}

}  // namespace

bool canonicalize(Graph& graph) {
  bool changed = false;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    if (node.op == nullptr) continue;
    changed |= matmul_to_gemm(graph, node) || sum_to_add(node) || batch_norm_to_conv(graph, node) ||
               reduce_mean_to_pool(graph, i);
  }
  return changed;
}

}  // namespace hedge
