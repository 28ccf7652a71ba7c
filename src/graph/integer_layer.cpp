// SPDX-License-Identifier: Apache-2.0
#include "graph/integer_layer.h"

#include <algorithm>
#include <limits>

#include "graph/quantization.h"
#include "graph/query.h"
#include "hedge/error.h"

namespace hedge {
namespace {

/// In real numbers, one a channel: an input, or what a MatMul adds first.
std::optional<std::vector<float>> bias_of(const Graph& graph, const Node& node) {
  const Shape& shape = graph.value(node.inputs[1]).type.shape;
  const std::int64_t channels = shape[static_cast<std::size_t>(output_channel_axis(node))];
  std::optional<std::vector<float>> bias;
  if (is_op(node, "Conv") && has_input(node, 2)) {
    bias = per_channel(graph, node.inputs[2], 1, 0, channels);
  } else if (is_op(node, "Gemm") && has_input(node, 2)) {
    bias = per_channel(graph, node.inputs[2], 2, 1, channels);
    for (std::size_t c = 0; bias && c < bias->size(); ++c) {
      (*bias)[c] *= node.attributes.get_float("beta", 1);
    }
  } else if (is_op(node, "MatMul") && !node.post_ops.empty() &&
             node.post_ops[0].kind == PostOp::Kind::kAdd) {
    const std::size_t rank = graph.value(node.outputs[0]).type.shape.size();
    bias = per_channel(graph, node.post_ops[0].operand, rank, rank - 1, channels);
  }
  return bias;
}

}  // namespace

std::int64_t output_channel_axis(const Node& node) {
  return is_op(node, "Conv") || node.attributes.get_int("transB", 0) != 0 ? 0 : 1;
}

std::vector<std::int64_t> weight_sums(const Tensor& stored, std::int64_t axis, bool magnitudes) {
  const Shape& shape = stored.shape();
  std::size_t inner = 1;
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < shape.size(); ++i) {
    inner *= static_cast<std::size_t>(shape[i]);
  }
  const auto channels = static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]);
  std::vector<std::int64_t> sums(channels, 0);
  const auto values = stored.values<std::int8_t>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t weight = values[i];
    sums[i / inner % channels] += magnitudes && weight < 0 ? -weight : weight;
  }
  return sums;
}

bool is_integer_layer(const Graph& graph, const Node& node) {
  if (!is_op(node, "Conv") && !is_op(node, "Gemm") && !is_op(node, "MatMul")) return false;
  const auto in_bytes = [&](ValueId id) {
    return id != kNoValue && graph.value(id).quantization.has_value();
  };
  return in_bytes(node.inputs[0]) && in_bytes(node.inputs[1]);
}

void require_integer_layer(const Graph& graph) {
  const bool any = std::any_of(graph.nodes.begin(), graph.nodes.end(),
                               [&](const Node& node) { return is_integer_layer(graph, node); });
  if (any) return;
  throw bad_input(
      "precision int8: no layer of the model has its input and weights in 8 bits; calibrate it, or "
      "give a model with Q/DQ nodes on both (weights as int8 with zero point 0)");
}

std::string why_not_integer(const Graph& graph, const Node& node) {
  const Quantization& weights = *graph.value(node.inputs[1]).quantization;
  const auto& result = graph.value(node.outputs[0]).quantization;
  const bool conv = is_op(node, "Conv");
  const Shape& shape = graph.value(node.inputs[1]).type.shape;
  if (!constant_floats(graph, node.inputs[1])) return "weights that are not constant";
  if (conv && shape.size() != 4) return "a convolution over other than planes (4 axes)";
  if (!conv && shape.size() != 2) return "weights that are no matrix";
  if (node.attributes.get_int("transA", 0) != 0) return "a transposed input";
  if (node.attributes.get_float("alpha", 1) == 0) return "a product times 0";
  if (weights.type != DataType::kInt8 || weights.zero_point != 0) {
    return "weights that are not symmetric int8";
  }
  if (weights.scales.size() > 1 && weights.axis != output_channel_axis(node)) {
    return "scales of weights that do not run along the output channels";
  }
  if (graph.value(node.inputs[0]).quantization->scales.size() != 1 ||
      (result && result->scales.size() != 1)) {
    return "activations with a scale for each channel";
  }
  if (has_input(node, 2) && !bias_of(graph, node)) {
    return "a bias that is not one constant number a channel";
  }
  // Stored sources, or those less their zero point, have up to this magnitude.
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() / 255;
  const auto sums = weight_sums(quantize_tensor(*graph.value(node.inputs[1]).constant, weights),
                                output_channel_axis(node), true);
  if (std::any_of(sums.begin(), sums.end(), [](std::int64_t sum) { return sum > kMost; })) {
    return "sums that could exceed 32 bits";
  }
  return {};
}

IntegerForm integer_form(const Graph& graph, const Node& node) {
  const Quantization& weights = *graph.value(node.inputs[1]).quantization;
  IntegerForm form{.source = *graph.value(node.inputs[0]).quantization,
                   .weights = quantize_tensor(*graph.value(node.inputs[1]).constant, weights),
                   .scales = {},
                   .bias = bias_of(graph, node)};
  form.done = is_op(node, "MatMul") && form.bias ? 1 : 0;
  const auto channels = static_cast<std::size_t>(
      form.weights.shape()[static_cast<std::size_t>(output_channel_axis(node))]);
  for (std::size_t c = 0; c < channels; ++c) {
    form.scales.push_back(form.source.scales[0] *
                          weights.scales[weights.scales.size() > 1 ? c : 0] *
                          node.attributes.get_float("alpha", 1));
  }
  return form;
}

}  // namespace hedge
