// SPDX-License-Identifier: Apache-2.0
#include "quant/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "base/named_values.h"
#include "base/text.h"
#include "graph/quantization.h"
#include "graph/query.h"
#include "quant/calibration_cache.h"

namespace hedge {
namespace {

constexpr float kUInt8Levels = 255;

/// The result holds the values of the input (or some of them), so both have one scale.
bool shares_scale(const Node& node) {
  constexpr std::array<std::string_view, 7> kNames{"MaxPool",   "Reshape",   "Flatten", "Squeeze",
                                                   "Unsqueeze", "Transpose", "Concat"};
  return node.post_ops.empty() &&
         std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view name) { return is_op(node, name); });
}

/// Conv or Gemm with constant weights: a layer that can compute in integers.
bool has_weights(const Graph& graph, const Node& node) {
  return (is_op(node, "Conv") || is_op(node, "Gemm")) &&
         constant_floats(graph, node.inputs.at(1)).has_value() &&
         node.attributes.get_int("transA", 0) == 0;
}

/// The values of one scale, found by following views, pools and concatenations both ways.
class SharedScales {
 public:
  explicit SharedScales(const Graph& graph) : parent_(graph.values.size()) {
    for (std::size_t i = 0; i < parent_.size(); ++i) parent_[i] = static_cast<ValueId>(i);
    for (const Node& node : graph.nodes) {
      if (!shares_scale(node)) continue;
      const std::size_t inputs = is_op(node, "Concat") ? node.inputs.size() : 1;
      for (std::size_t i = 0; i < inputs; ++i) join(node.inputs[i], node.outputs[0]);
    }
  }
  [[nodiscard]] ValueId group(ValueId id) const {
    while (parent_[static_cast<std::size_t>(id)] != id) id = parent_[static_cast<std::size_t>(id)];
    return id;
  }

 private:
  void join(ValueId a, ValueId b) { parent_[static_cast<std::size_t>(group(a))] = group(b); }
  std::vector<ValueId> parent_;
};

/// The groups of values that layers of `int8` read, their residuals included.
std::set<ValueId> groups_read(const SharedScales& scales, const std::vector<const Node*>& int8) {
  std::set<ValueId> groups;
  for (const Node* node : int8) {
    groups.insert(scales.group(node->inputs[0]));
    for (const PostOp& post_op : node->post_ops) {
      if (post_op.operand != kNoValue) groups.insert(scales.group(post_op.operand));
    }
  }
  return groups;
}

bool is_activation(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  return !value.constant && value.type.type == DataType::kFloat32;
}

/// Members of the groups, in order; outputs of the graph leave in floating point.
std::vector<ValueId> members(const Graph& graph, const SharedScales& scales,
                             const std::set<ValueId>& groups) {
  std::vector<ValueId> found;
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const bool output =
        std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end();
    if (!output && is_activation(graph, id) && groups.contains(scales.group(id)))
      found.push_back(id);
  }
  return found;
}

std::vector<const Node*> layers_with_weights(const Graph& graph) {
  std::vector<const Node*> layers;
  for (const Node& node : graph.nodes) {
    if (has_weights(graph, node)) layers.push_back(&node);
  }
  return layers;
}

/// Values of which the graph itself shows that they are never negative.
std::vector<bool> never_negative(const Graph& graph, bool unsigned_input) {
  std::vector<bool> known(graph.values.size(), false);
  for (const GraphInput& input : graph.inputs) {
    known[static_cast<std::size_t>(input.value)] = unsigned_input;
  }
  const auto is_known = [&](ValueId id) { return known[static_cast<std::size_t>(id)]; };
  for (const Node& node : graph.nodes) {
    bool positive = false;
    if (!node.post_ops.empty()) {
      const PostOp& last = node.post_ops.back();
      positive =
          last.kind == PostOp::Kind::kRelu || (last.kind == PostOp::Kind::kClip && last.alpha >= 0);
    } else if (is_op(node, "Concat")) {
      positive = std::all_of(node.inputs.begin(), node.inputs.end(), is_known);
    } else if (shares_scale(node) || node.op->name.ends_with("Pool")) {
      positive = is_known(node.inputs[0]);
    } else {
      positive = is_op(node, "Relu") || is_op(node, "Sigmoid") || is_op(node, "Softmax");
    }
    known[static_cast<std::size_t>(node.outputs[0])] = positive;
  }
  return known;
}

/// The axis of the output channels of Conv's and Gemm's weights.
std::int64_t channel_axis(const Node& node) {
  return is_op(node, "Gemm") && node.attributes.get_int("transB", 0) == 0 ? 1 : 0;
}

Quantization weight_quantization(const Tensor& weights, std::int64_t axis) {
  const Shape& shape = weights.shape();
  const auto channels = static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]);
  std::size_t inner = 1;
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < shape.size(); ++i) {
    inner *= static_cast<std::size_t>(shape[i]);
  }
  std::vector<float> largest(channels, 0);
  const auto values = weights.values<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    float& m = largest[i / inner % channels];
    m = std::max(m, std::fabs(values[i]));
  }
  for (float& m : largest) m = m > 0 ? m / kInt8Levels : 1;  // A channel of zeros has no scale.
  return {.type = DataType::kInt8, .scales = std::move(largest), .axis = axis};
}

/// New constants, because others may read the old ones.
void quantize_weights(Graph& graph, Node& node) {
  const Tensor weights = *graph.value(node.inputs[1]).constant;
  const Quantization q = weight_quantization(weights, channel_axis(node));
  const std::string name = graph.value(node.inputs[1]).name;
  node.inputs[1] = graph.add_constant(name, dequantize_tensor(quantize_tensor(weights, q), q));
  graph.value(node.inputs[1]).quantization = q;
}

/// A bias in steps of input scale times weight scale, which is what integer sums hold: so that all
/// who execute the model, with sums in integers or in floating point, compute the same. One that
/// takes more than 32 bits stays as it is.
void round_bias(Graph& graph, Node& node) {
  if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) return;
  const auto bias = constant_floats(graph, node.inputs[2]);
  const std::vector<float>& weight_scales = graph.value(node.inputs[1]).quantization->scales;
  const bool scaled = node.attributes.get_float("alpha", 1) != 1 ||
                      node.attributes.get_float("beta", 1) != 1;  // Gemm's
  if (!bias || bias->size() != weight_scales.size() || scaled) return;
  const float input_scale = graph.value(node.inputs[0]).quantization->scales.front();
  std::vector<float> rounded(bias->begin(), bias->end());
  for (std::size_t i = 0; i < rounded.size(); ++i) {
    const float step = input_scale * weight_scales[i];
    const float count = std::nearbyint(rounded[i] / step);
    if (std::fabs(count) < 0x1p31F) rounded[i] = count * step;
  }
  const Value& old = graph.value(node.inputs[2]);
  const std::string name = old.name;
  node.inputs[2] = graph.add_constant(
      name, Tensor::from<float>(old.constant->shape(), std::span<const float>(rounded)));
}

}  // namespace

std::vector<std::string> quantizable_layers(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node* node : layers_with_weights(graph)) names.push_back(node->name);
  return names;
}

std::string resolve_layer(const Graph& graph, const std::string& name) {
  const std::vector<std::string> known = quantizable_layers(graph);
  if (!known.empty() && name == "first") return known.front();
  if (!known.empty() && name == "last") return known.back();
  if (std::find(known.begin(), known.end(), name) != known.end()) return name;
  throw bad_input(
      fmt::format("no layer with weights is called '{}'{}; hedge info lists them "
                  "(first and last are names too)",
                  name, did_you_mean(name, known)));
}

std::vector<ValueId> quantizable_activations(const Graph& graph) {
  const SharedScales scales(graph);
  return members(graph, scales, groups_read(scales, layers_with_weights(graph)));
}

void quantize(Graph& graph, const std::map<std::string, double>& thresholds,
              const QuantizeOptions& options) {
  std::set<std::string> keep;
  for (const std::string& name : options.keep) keep.insert(resolve_layer(graph, name));
  std::vector<const Node*> int8;
  for (const Node* node : layers_with_weights(graph)) {
    if (!keep.contains(node->name)) int8.push_back(node);
  }
  const SharedScales scales(graph);
  const auto activations = members(graph, scales, groups_read(scales, int8));
  std::map<ValueId, double> threshold_of_group;
  std::vector<std::string> missing;
  for (const ValueId id : activations) {
    const auto found = thresholds.find(graph.value(id).name);
    if (found == thresholds.end()) {
      missing.push_back(graph.value(id).name);
      continue;
    }
    double& threshold = threshold_of_group[scales.group(id)];
    threshold = std::max(threshold, found->second);
  }
  if (!missing.empty()) {
    throw bad_input(fmt::format("no range is known of the activations {}", join_words(missing)));
  }
  const std::vector<bool> positive = never_negative(graph, options.unsigned_input);
  std::map<ValueId, bool> group_is_positive;
  for (const ValueId id : activations) {
    const auto [entry, fresh] = group_is_positive.emplace(scales.group(id), true);
    entry->second = entry->second && !options.signed_only && positive[static_cast<std::size_t>(id)];
  }
  for (const ValueId id : activations) {
    const ValueId group = scales.group(id);
    const auto threshold = static_cast<float>(threshold_of_group.at(group));
    graph.value(id).quantization =
        group_is_positive.at(group)
            ? Quantization{.type = DataType::kUInt8, .scales = {threshold / kUInt8Levels}}
            : Quantization{.type = DataType::kInt8, .scales = {threshold / kInt8Levels}};
  }
  std::set<std::string> names;
  for (const Node* node : int8) names.insert(node->name);
  for (Node& node : graph.nodes) {
    if (!has_weights(graph, node) || !names.contains(node.name)) continue;
    quantize_weights(graph, node);
    if (is_int8(graph, node)) round_bias(graph, node);
  }
}

bool is_int8(const Graph& graph, const Node& node) {
  return has_weights(graph, node) && graph.value(node.inputs[0]).quantization.has_value() &&
         graph.value(node.inputs[1]).quantization.has_value();
}

}  // namespace hedge
