// SPDX-License-Identifier: Apache-2.0
// Layer normalisation as exporters write it below opset 17: (x - mean(x)) / sqrt(mean((x -
// mean(x))^2)
// + epsilon) * scale + bias, over the last axes.
#include <algorithm>
#include <utility>

#include "graph/passes/edit.h"
#include "graph/passes/passes.h"

namespace hedge {
namespace {

class Matcher {
 public:
  Matcher(Graph& graph, const GraphIndex& index) : graph_(graph), index_(index) {}

  /// Tries to make one LayerNormalization of what ends in the division `divide`.
  bool rewrite(std::int32_t divide);

 private:
  [[nodiscard]] const Node* producer(ValueId id, std::string_view op) const {
    if (id == kNoValue) return nullptr;
    const std::int32_t i = index_.producer[static_cast<std::size_t>(id)];
    if (i < 0) return nullptr;
    const Node& node = graph_.nodes[static_cast<std::size_t>(i)];
    return is_op(node, op) && node.post_ops.empty() ? &node : nullptr;
  }
  [[nodiscard]] std::optional<float> number(ValueId id) const {
    const auto floats = constant_floats(graph_, id);
    if (!floats || floats->size() != 1) return std::nullopt;
    return floats->front();
  }
  /// The mean of `x` over its last axes, kept as 1; the first of them.
  [[nodiscard]] std::optional<std::size_t> mean_axis(const Node* mean, ValueId x) const;
  [[nodiscard]] bool is_square_of_difference(ValueId id, ValueId x, std::size_t axis) const;
  [[nodiscard]] std::optional<std::size_t> difference_axis(ValueId id, ValueId x) const;
  /// The one reader of `value`, if it is an `op` with a constant of the shape `tail`.
  [[nodiscard]] std::int32_t affine_reader(ValueId value, std::string_view op, const Shape& tail,
                                           ValueId& constant) const;

  Graph& graph_;
  const GraphIndex& index_;
};

std::optional<std::size_t> Matcher::mean_axis(const Node* mean, ValueId x) const {
  if (mean == nullptr || mean->inputs[0] != x || mean->attributes.get_int("keepdims", 1) != 1) {
    return std::nullopt;
  }
  auto axes = mean->attributes.get_ints("axes");
  if (mean->inputs.size() > 1 && mean->inputs[1] != kNoValue) {
    if (!graph_.is_constant(mean->inputs[1])) return std::nullopt;
    axes = graph_.value(mean->inputs[1]).constant->to_int64();
  }
  const auto rank = static_cast<std::int64_t>(graph_.value(x).type.shape.size());
  for (auto& axis : axes) axis = axis < 0 ? axis + rank : axis;
  std::sort(axes.begin(), axes.end());
  if (axes.empty() || axes.back() != rank - 1 ||
      axes.back() - axes.front() + 1 != static_cast<std::int64_t>(axes.size())) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(axes.front());
}

std::optional<std::size_t> Matcher::difference_axis(ValueId id, ValueId x) const {
  const Node* difference = producer(id, "Sub");
  if (difference == nullptr || difference->inputs[0] != x) return std::nullopt;
  return mean_axis(producer(difference->inputs[1], "ReduceMean"), x);
}

bool Matcher::is_square_of_difference(ValueId id, ValueId x, std::size_t axis) const {
  if (const Node* power = producer(id, "Pow")) {
    return number(power->inputs[1]) == 2.F && difference_axis(power->inputs[0], x) == axis;
  }
  const Node* product = producer(id, "Mul");
  return product != nullptr && difference_axis(product->inputs[0], x) == axis &&
         difference_axis(product->inputs[1], x) == axis;
}

std::int32_t Matcher::affine_reader(ValueId value, std::string_view op, const Shape& tail,
                                    ValueId& constant) const {
  const auto& readers = index_.consumers[static_cast<std::size_t>(value)];
  if (readers.size() != 1 || index_.is_output[static_cast<std::size_t>(value)]) return -1;
  const Node& reader = graph_.nodes[static_cast<std::size_t>(readers[0])];
  if (!is_op(reader, op) || !reader.post_ops.empty()) return -1;
  constant = reader.inputs[reader.inputs[0] == value ? 1 : 0];
  const bool fits = constant_floats(graph_, constant) && graph_.value(constant).type.shape == tail;
  return fits ? readers[0] : -1;
}

bool Matcher::rewrite(std::int32_t divide) {
  const Node& node = graph_.nodes[static_cast<std::size_t>(divide)];
  if (!is_op(node, "Div") || !node.post_ops.empty()) return false;
  const Node* difference = producer(node.inputs[0], "Sub");
  const Node* root = producer(node.inputs[1], "Sqrt");
  if (difference == nullptr || root == nullptr) return false;
  const Node* sum = producer(root->inputs[0], "Add");
  if (sum == nullptr) return false;
  const bool swapped = number(sum->inputs[0]).has_value();
  const auto epsilon = number(sum->inputs[swapped ? 0 : 1]);
  const Node* variance = producer(sum->inputs[swapped ? 1 : 0], "ReduceMean");
  const ValueId x = difference->inputs[0];
  const auto axis = difference_axis(node.inputs[0], x);
  if (!epsilon || variance == nullptr || !axis || graph_.value(x).type.type != DataType::kFloat32 ||
      mean_axis(variance, variance->inputs[0]) != axis ||
      !is_square_of_difference(variance->inputs[0], x, *axis)) {
    return false;
  }
  const Shape& shape = graph_.value(x).type.shape;
  const Shape tail(shape.begin() + static_cast<std::ptrdiff_t>(*axis), shape.end());
  std::int32_t last = divide;
  ValueId scale = kNoValue;
  ValueId bias = kNoValue;
  if (const auto reader = affine_reader(node.outputs[0], "Mul", tail, scale); reader >= 0) {
    last = reader;
    const ValueId scaled = graph_.nodes[static_cast<std::size_t>(reader)].outputs[0];
    if (const auto next = affine_reader(scaled, "Add", tail, bias); next >= 0) last = next;
    if (last == reader) bias = kNoValue;
  } else {
    std::vector<float> ones(static_cast<std::size_t>(element_count(tail)), 1);
    scale = graph_.add_constant(node.name + ".scale",
                                Tensor::from<float>(tail, std::span(std::as_const(ones))));
  }
  Node& result = graph_.nodes[static_cast<std::size_t>(last)];
  result.op = &get_operator("LayerNormalization");
  result.attributes = {};
  result.attributes.set("axis", static_cast<std::int64_t>(*axis));
  result.attributes.set("epsilon", *epsilon);
  result.inputs = {x, scale};
  if (bias != kNoValue) result.inputs.push_back(bias);
  return true;
}

}  // namespace

bool recognise_norms(Graph& graph) {
  bool changed = false;
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(graph.nodes.size()); ++i) {
    if (!is_op(graph.nodes[static_cast<std::size_t>(i)], "Div")) continue;
    const GraphIndex index(graph);
    changed |= Matcher(graph, index).rewrite(i);
  }
  return changed;
}

}  // namespace hedge
