// SPDX-License-Identifier: Apache-2.0
#include "graph/query.h"

#include <fmt/format.h>

#include "graph/operators/common.h"

namespace hedge {

std::optional<std::span<const float>> constant_floats(const Graph& graph, ValueId id) {
  if (!graph.is_constant(id)) return std::nullopt;
  const Tensor& tensor = *graph.value(id).constant;
  if (tensor.type() != DataType::kFloat32) return std::nullopt;
  return tensor.values<float>();
}

std::optional<std::vector<float>> per_channel(const Graph& graph, ValueId id, std::size_t rank,
                                              std::size_t axis, std::int64_t channels) {
  const auto floats = constant_floats(graph, id);
  if (!floats) return std::nullopt;
  const Shape& shape = graph.value(id).type.shape;
  if (floats->size() == 1 && shape.size() <= rank) {
    return std::vector<float>(static_cast<std::size_t>(channels), floats->front());
  }
  // Broadcasting aligns the last axes.
  if (shape.size() > rank || shape.size() + axis < rank) return std::nullopt;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool is_channel = i + rank - shape.size() == axis;
    if (shape[i] != (is_channel ? channels : 1)) return std::nullopt;
  }
  return std::vector<float>(floats->begin(), floats->end());
}

std::optional<std::vector<std::size_t>> reduced_axes(const Graph& graph, const Node& node) {
  const std::size_t rank = graph.value(node.inputs[0]).type.shape.size();
  auto axes = node.attributes.get_ints("axes");
  if (node.inputs.size() > 1 && node.inputs[1] != kNoValue) {
    if (!graph.is_constant(node.inputs[1])) return std::nullopt;
    axes = graph.value(node.inputs[1]).constant->to_int64();
  }
  std::vector<std::size_t> sorted;
  for (const std::int64_t axis : axes) sorted.push_back(operators::normal_axis(axis, rank));
  if (axes.empty() && node.attributes.get_int("noop_with_empty_axes", 0) == 0) {
    for (std::size_t i = 0; i < rank; ++i) sorted.push_back(i);
  }
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

std::string convolution_kind(const Graph& graph, const Node& node) {
  const Shape& in = graph.value(node.inputs.at(0)).type.shape;
  const Shape& w = graph.value(node.inputs.at(1)).type.shape;
  const auto window = operators::sliding_window(node, Shape(in.begin() + 2, in.end()),
                                                Shape(w.begin() + 2, w.end()));
  std::string kind = fmt::format("conv {}/{} {}->{} {} pads {},{}", fmt::join(window.kernel, "x"),
                                 fmt::join(window.strides, "x"), in[1], w[0],
                                 fmt::join(in.begin() + 2, in.end(), "x"),
                                 fmt::join(window.pad_begin, ","), fmt::join(window.pad_end, ","));
  if (window.dilations != Shape(window.dilations.size(), 1)) {
    kind += fmt::format(" dilations {}", fmt::join(window.dilations, "x"));
  }
  const auto group = node.attributes.get_int("group", 1);
  if (group != 1) kind += fmt::format(" groups {}", group);
  if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) kind += " + bias";
  for (const PostOp& post_op : node.post_ops) {
    if (post_op.kind == PostOp::Kind::kAdd) kind += " + add";
  }
  const auto& held = [&](ValueId id) -> const std::optional<Quantization>& {
    return graph.value(id).quantization;
  };
  if (held(node.inputs[0]) && held(node.inputs[1])) {
    const auto type = [&](ValueId id) {
      return held(id) ? to_string(held(id)->type) : to_string(DataType::kFloat32);
    };
    kind += fmt::format(" {} to {}", type(node.inputs[0]), type(node.outputs[0]));
    for (const PostOp& post_op : node.post_ops) {
      if (post_op.kind == PostOp::Kind::kAdd) kind += fmt::format(" + {}", type(post_op.operand));
    }
  }
  return kind;
}

}  // namespace hedge
