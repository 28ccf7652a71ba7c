// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "graph/operators/operator.h"

namespace hedge::test {

/// Numbers in [-1, 1) that look random and are the same everywhere.
inline std::vector<float> noise(std::size_t count, std::uint32_t seed) {
  std::vector<float> values;
  std::uint32_t state = seed * 2654435761U + 12345U;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 1664525U + 1013904223U;
    values.push_back(static_cast<float>(state >> 8U) / 8388608.F - 1.F);
  }
  return values;
}

inline Tensor noise_tensor(const Shape& shape, std::uint32_t seed, float scale = 1) {
  auto values = noise(static_cast<std::size_t>(element_count(shape)), seed);
  for (float& v : values) v *= scale;
  return Tensor::from<float>(shape, values);
}

/// Numbers in [0.5, 1.5).
inline Tensor positive_tensor(const Shape& shape, std::uint32_t seed) {
  auto values = noise(static_cast<std::size_t>(element_count(shape)), seed);
  for (float& v : values) v = 1 + v / 2;
  return Tensor::from<float>(shape, values);
}

/// Writes graphs as one writes ONNX by hand.
class GraphBuilder {
 public:
  ValueId input(const Shape& shape, const std::string& name = "input") {
    const ValueId id = graph_.add_value(name, {DataType::kFloat32, shape});
    graph_.inputs.push_back({id, {}});
    return id;
  }
  ValueId constant(Tensor tensor) {
    return graph_.add_constant("c" + std::to_string(graph_.values.size()), std::move(tensor));
  }
  ValueId number(float x) { return constant(Tensor::from<float>({}, std::span(&x, 1))); }
  ValueId ints(const std::vector<std::int64_t>& values) {
    return constant(Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
  }
  ValueId weights(const Shape& shape, float scale = 0.3F) {
    return constant(noise_tensor(shape, static_cast<std::uint32_t>(graph_.values.size()), scale));
  }
  ValueId node(const std::string& op, const std::vector<ValueId>& inputs,
               const std::vector<std::pair<std::string, Attributes::Value>>& attributes = {}) {
    Node node;
    node.name = op + "_" + std::to_string(graph_.nodes.size());
    node.op = &get_operator(op);
    node.inputs = inputs;
    node.outputs = {graph_.add_value(node.name + ":0")};
    for (const auto& [name, value] : attributes) node.attributes.set(name, value);
    graph_.nodes.push_back(std::move(node));
    return graph_.nodes.back().outputs[0];
  }
  std::pair<ValueId, ValueId> node_of_two(const std::string& op,
                                          const std::vector<ValueId>& inputs) {
    const ValueId first = node(op, inputs);
    const ValueId second = graph_.add_value(graph_.nodes.back().name + ":1");
    graph_.nodes.back().outputs.push_back(second);
    return {first, second};
  }
  std::vector<ValueId> split(ValueId x, std::int64_t axis, const std::vector<std::int64_t>& parts) {
    (void)node("Split", {x, ints(parts)}, {{"axis", axis}});
    Node& split = graph_.nodes.back();
    while (split.outputs.size() < parts.size()) {
      split.outputs.push_back(
          graph_.add_value(split.name + ":" + std::to_string(split.outputs.size())));
    }
    return split.outputs;
  }
  /// 3x3 (or kxk) convolution with bias, "same" padding.
  ValueId conv(ValueId x, std::int64_t in, std::int64_t out, std::int64_t kernel = 3,
               std::int64_t stride = 1, std::int64_t group = 1) {
    const std::int64_t pad = kernel / 2;
    return node("Conv", {x, weights({out, in / group, kernel, kernel}), weights({out})},
                {{"pads", std::vector<std::int64_t>{pad, pad, pad, pad}},
                 {"strides", std::vector<std::int64_t>{stride, stride}},
                 {"group", group}});
  }
  /// What there is so far, without outputs or inferred shapes.
  [[nodiscard]] const Graph& unfinished() const { return graph_; }
  Graph finish(const std::vector<ValueId>& outputs) {
    graph_.outputs = outputs;
    infer_shapes(graph_);
    return graph_;
  }

 private:
  Graph graph_;
};

using Ints = std::vector<std::int64_t>;

/// max |a-b| / max |b|
inline double relative_error(std::span<const float> a, std::span<const float> b) {
  double difference = 0;
  double largest = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return INFINITY;
    difference = std::max(difference, std::abs(double{a[i]} - b[i]));
    largest = std::max(largest, std::abs(double{b[i]}));
  }
  return a.size() != b.size() ? INFINITY : largest == 0 ? difference : difference / largest;
}

}  // namespace hedge::test
