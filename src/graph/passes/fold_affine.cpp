// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>

#include "graph/passes/edit.h"
#include "graph/passes/passes.h"
#include "graph/quantization.h"

namespace hedge {
namespace {

/// y[c] = x[c] * scale[c] + shift[c]
struct Affine {
  std::vector<double> scale;
  std::vector<double> shift;
};

std::optional<Affine> batch_norm_affine(const Graph& graph, const Node& node) {
  std::array<std::span<const float>, 4> p;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto floats = constant_floats(graph, node.inputs.at(i + 1));
    if (!floats) return std::nullopt;
    p.at(i) = *floats;
  }
  const auto [gamma, beta, mean, variance] = p;
  if (beta.size() != gamma.size() || mean.size() != gamma.size() ||
      variance.size() != gamma.size()) {
    return std::nullopt;
  }
  const double epsilon = node.attributes.get_float("epsilon", 1e-5F);
  Affine affine;
  for (std::size_t c = 0; c < gamma.size(); ++c) {
    const double factor = gamma[c] / std::sqrt(double{variance[c]} + epsilon);
    affine.scale.push_back(factor);
    affine.shift.push_back(beta[c] - mean[c] * factor);
  }
  return affine;
}

/// Add, Sub, Mul, Div of a value and a per-channel constant, whichever side that is on (not c / x).
std::optional<Affine> arithmetic_affine(const Graph& graph, const Node& node, std::size_t data,
                                        std::size_t axis) {
  const TensorType& type = graph.value(node.inputs[data]).type;
  if (graph.value(node.outputs[0]).type != type) return std::nullopt;
  const std::int64_t channels = type.shape[axis];
  const auto constant =
      per_channel(graph, node.inputs[1 - data], type.shape.size(), axis, channels);
  if (!constant) return std::nullopt;
  const bool swapped = data == 1;
  Affine affine{std::vector<double>(constant->size(), 1), std::vector<double>(constant->size(), 0)};
  for (std::size_t c = 0; c < constant->size(); ++c) {
    const double value = (*constant)[c];
    if (is_op(node, "Add")) {
      affine.shift[c] = value;
    } else if (is_op(node, "Sub")) {
      affine.scale[c] = swapped ? -1 : 1;
      affine.shift[c] = swapped ? value : -value;
    } else if (is_op(node, "Mul")) {
      affine.scale[c] = value;
    } else if (is_op(node, "Div") && !swapped && value != 0) {
      affine.scale[c] = 1 / value;
    } else {
      return std::nullopt;
    }
  }
  return affine;
}

/// The output channel of element i of the weights.
std::size_t channel_of(const Node& producer, const Shape& weights, std::size_t i) {
  if (is_op(producer, "Gemm") && producer.attributes.get_int("transB", 0) == 0) {
    return i % static_cast<std::size_t>(weights[1]);
  }
  std::size_t inner = 1;
  for (std::size_t axis = 1; axis < weights.size(); ++axis) {
    inner *= static_cast<std::size_t>(weights[axis]);
  }
  return i / inner;
}

/// Conv or Gemm with constant weights and a bias of one number a channel, or none.
bool takes_affine(const Graph& graph, const Node& producer, std::size_t channels) {
  if (!is_op(producer, "Gemm") && !is_op(producer, "Conv")) return false;
  if (!producer.post_ops.empty() || !constant_floats(graph, producer.inputs.at(1))) return false;
  if (is_op(producer, "Gemm")) {
    if (producer.attributes.get_float("alpha", 1) != 1 ||
        producer.attributes.get_float("beta", 1) != 1) {
      return false;
    }
  }
  if (producer.inputs.size() < 3 || producer.inputs[2] == kNoValue) return true;
  const auto bias = constant_floats(graph, producer.inputs[2]);
  return bias && bias->size() == channels && graph.value(producer.inputs[2]).type.shape.size() == 1;
}

/// Weights in 8 bits can be scaled: by factors of any sign only where the integers have a
/// counterpart.
bool keeps_integers(const Graph& graph, const Node& producer, const Affine& affine) {
  const Value& weights = graph.value(producer.inputs[1]);
  const auto& q = weights.quantization;
  const bool negative =
      std::any_of(affine.scale.begin(), affine.scale.end(), [](double s) { return s < 0; });
  if (!q || !negative) return true;
  const Tensor stored = quantize_tensor(*weights.constant, *q);
  if (q->type != DataType::kInt8) return false;
  const auto integers = stored.values<std::int8_t>();
  return std::find(integers.begin(), integers.end(), std::int8_t{-128}) == integers.end();
}

/// Weights in 8 bits keep their integers: the factors go into the scales, a sign into the integers.
Quantization scaled(const Quantization& q, const Node& producer, const Affine& affine) {
  const bool columns = is_op(producer, "Gemm") && producer.attributes.get_int("transB", 0) == 0;
  Quantization result{.type = q.type, .scales = {}, .axis = columns ? 1 : 0};
  for (std::size_t c = 0; c < affine.scale.size(); ++c) {
    const double scale = q.scales[q.scales.size() > 1 ? c : 0] * std::fabs(affine.scale[c]);
    result.scales.push_back(scale > 0 ? static_cast<float>(scale) : 1);
  }
  return result;
}

void apply(Graph& graph, Node& producer, const Affine& affine) {
  const Tensor old_weights = *graph.value(producer.inputs[1]).constant;
  const std::optional<Quantization> old_held = graph.value(producer.inputs[1]).quantization;
  Tensor weights(DataType::kFloat32, old_weights.shape());
  const auto from = old_weights.values<float>();
  const auto to = weights.mutable_values<float>();
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i] =
        static_cast<float>(from[i] * affine.scale[channel_of(producer, old_weights.shape(), i)]);
  }
  const std::size_t channels = affine.scale.size();
  Tensor bias(DataType::kFloat32, {static_cast<std::int64_t>(channels)});
  std::span<const float> old_bias;
  if (producer.inputs.size() > 2 && producer.inputs[2] != kNoValue) {
    old_bias = graph.value(producer.inputs[2]).constant->values<float>();
  }
  for (std::size_t c = 0; c < channels; ++c) {
    const double before = old_bias.empty() ? 0 : old_bias[c];
    bias.mutable_values<float>()[c] =
        static_cast<float>(before * affine.scale[c] + affine.shift[c]);
  }
  // New values, because the old constants may have other readers.
  producer.inputs.resize(3, kNoValue);
  std::optional<Quantization> held;
  if (old_held) {
    held = scaled(*old_held, producer, affine);
    weights = dequantize_tensor(quantize_tensor(weights, *held), *held);
  }
  producer.inputs[1] = graph.add_constant(producer.name + ".weight", std::move(weights));
  graph.value(producer.inputs[1]).quantization = held;
  producer.inputs[2] = graph.add_constant(producer.name + ".bias", std::move(bias));
}

/// Tries to fold `node`, whose value on side `data` may come from a Conv or Gemm.
bool fold_into_producer(Graph& graph, std::size_t node_index, std::size_t data) {
  const GraphIndex index(graph);
  const Node& node = graph.nodes[node_index];
  Node* producer = sole_producer(graph, index, node.inputs[data]);
  if (producer == nullptr || producer->op == nullptr) return false;
  const Shape& shape = graph.value(node.inputs[data]).type.shape;
  const std::size_t axis = 1;  // Of Conv's NCHW and of Gemm's rows alike.
  if (shape.size() < 2) return false;
  const auto affine = is_op(node, "BatchNormalization")
                          ? batch_norm_affine(graph, node)
                          : arithmetic_affine(graph, node, data, axis);
  if (!affine || affine->scale.size() != static_cast<std::size_t>(shape[axis]) ||
      !takes_affine(graph, *producer, affine->scale.size()) ||
      !keeps_integers(graph, *producer, *affine)) {
    return false;
  }
  apply(graph, *producer, *affine);
  // The later value lives on, so that names of the graph's outputs survive.
  producer->outputs[0] = node.outputs[0];
  erase_node(graph.nodes[node_index]);
  return true;
}

}  // namespace

bool fold_affine(Graph& graph) {
  bool changed = false;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (!node.post_ops.empty()) continue;
    if (is_op(node, "BatchNormalization")) {
      changed |= fold_into_producer(graph, i, 0);
    } else if (is_op(node, "Add") || is_op(node, "Sub") || is_op(node, "Mul") ||
               is_op(node, "Div")) {
      changed |= fold_into_producer(graph, i, 0) || fold_into_producer(graph, i, 1);
    }
  }
  return changed;
}

}  // namespace hedge
