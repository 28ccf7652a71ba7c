// SPDX-License-Identifier: Apache-2.0
#include "quant/qdq.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "graph/operators/operator.h"
#include "graph/passes/edit.h"
#include "graph/passes/passes.h"
#include "graph/reference_executor.h"

namespace hedge {
namespace {

Tensor scale_tensor(const Quantization& q) {
  const Shape shape =
      q.scales.size() == 1 ? Shape{} : Shape{static_cast<std::int64_t>(q.scales.size())};
  return Tensor::from<float>(shape, q.scales);
}

Tensor zero_point_tensor(const Quantization& q) {
  const Shape shape =
      q.scales.size() == 1 ? Shape{} : Shape{static_cast<std::int64_t>(q.scales.size())};
  Tensor tensor(q.type, shape);
  if (q.type == DataType::kInt8) {
    std::ranges::fill(tensor.mutable_values<std::int8_t>(), static_cast<std::int8_t>(q.zero_point));
  } else {
    std::ranges::fill(tensor.mutable_values<std::uint8_t>(),
                      static_cast<std::uint8_t>(q.zero_point));
  }
  return tensor;
}

Node qdq_node(const char* op, std::string name, const Quantization& q) {
  Node node;
  node.name = std::move(name);
  node.op = &get_operator(op);
  if (q.scales.size() > 1) node.attributes.set("axis", q.axis);
  return node;
}

Tensor run_qdq(const char* op, const Tensor& x, const Quantization& q) {
  Node node = qdq_node(op, op, q);
  node.outputs = {0};
  const std::vector<Tensor> inputs{x, scale_tensor(q), zero_point_tensor(q)};
  return execute_node(node, inputs, {}).at(0);
}

// ---- to explicit nodes

class Unfolder {
 public:
  explicit Unfolder(const Graph& graph)
      : from_(graph), to_(graph), rounded_(graph.values.size(), kNoValue) {
    to_.nodes.clear();
    for (Value& value : to_.values) value.quantization.reset();
  }

  Graph run() {
    for (const Node& node : from_.nodes) unfold(node);
    for (ValueId& id : to_.outputs) id = read(id);
    infer_shapes(to_);
    validate(to_);
    return std::move(to_);
  }

 private:
  /// The value as its readers see it.
  ValueId read(ValueId id) {
    if (id == kNoValue || !from_.value(id).quantization) return id;
    ValueId& rounded = rounded_[static_cast<std::size_t>(id)];
    if (rounded == kNoValue) rounded = round(id, *from_.value(id).quantization);
    return rounded;
  }

  ValueId round(ValueId id, const Quantization& q) {
    const std::string& name = from_.value(id).name;
    const ValueId scale = to_.add_constant(name + "_scale", scale_tensor(q));
    const ValueId zero_point = to_.add_constant(name + "_zero_point", zero_point_tensor(q));
    ValueId stored = kNoValue;
    if (from_.is_constant(id)) {
      stored = to_.add_constant(name + "_quantized", quantize_tensor(*from_.value(id).constant, q));
    } else {
      stored = to_.add_value(name + "_quantized");
      Node node = qdq_node("QuantizeLinear", name + "_QuantizeLinear", q);
      node.inputs = {id, scale, zero_point};
      node.outputs = {stored};
      to_.nodes.push_back(std::move(node));
    }
    const ValueId result = to_.add_value(name + "_dequantized");
    Node node = qdq_node("DequantizeLinear", name + "_DequantizeLinear", q);
    node.inputs = {stored, scale, zero_point};
    node.outputs = {result};
    to_.nodes.push_back(std::move(node));
    return result;
  }

  void unfold(const Node& node) {
    Node plain = node;
    for (ValueId& id : plain.inputs) id = read(id);
    const std::vector<PostOp> post_ops = std::exchange(plain.post_ops, {});
    const ValueId last = node.outputs.at(0);
    for (const PostOp& post_op : post_ops) {
      const ValueId between = to_.add_value(plain.name + "_result", from_.value(last).type);
      plain.outputs[0] = between;
      to_.nodes.push_back(std::move(plain));
      plain = node_of(post_op, node.name, between);
      plain.outputs = {last};
    }
    to_.nodes.push_back(std::move(plain));
  }

  Node node_of(const PostOp& post_op, const std::string& name, ValueId x) {
    Node node;
    node.inputs = {x};
    switch (post_op.kind) {
      case PostOp::Kind::kAdd:
        node.op = &get_operator("Add");
        node.inputs.push_back(read(post_op.operand));
        break;
      case PostOp::Kind::kRelu:
        node.op = &get_operator("Relu");
        break;
      case PostOp::Kind::kClip:
        node.op = &get_operator("Clip");
        for (const float bound : {post_op.alpha, post_op.beta}) {
          node.inputs.push_back(
              to_.add_constant(name + "_bound", Tensor::from<float>({}, std::span(&bound, 1))));
        }
        break;
    }
    node.name = fmt::format("{}_{}", name, node.op->name);
    return node;
  }

  const Graph& from_;
  Graph to_;
  std::vector<ValueId> rounded_;  ///< By value: what readers see, once it is there.
};

// ---- from explicit nodes

/// Where the output channels of a layer's weights are; nothing where it takes none as input 1.
std::optional<std::int64_t> output_channel_axis(const Graph& graph, const Node& node) {
  if (is_op(node, "Conv")) return 0;
  if (is_op(node, "Gemm")) return node.attributes.get_int("transB", 0) != 0 ? 0 : 1;
  if (is_op(node, "MatMul")) {
    return static_cast<std::int64_t>(graph.value(node.inputs[1]).type.shape.size()) - 1;
  }
  return std::nullopt;
}

class Absorber {
 public:
  explicit Absorber(Graph& graph) : graph_(graph) {}

  void run() {
    for (Node& node : graph_.nodes) {
      if (is_op(node, "DequantizeLinear")) absorb(node);
    }
    check_weights();
    if (!problems_.empty()) throw bad_input(fmt::format("{}", fmt::join(problems_, "; ")));
    remove_dead_nodes();
  }

 private:
  void problem(const Node& node, const std::string& what) {
    problems_.push_back(fmt::format("{} ({}): {}", node.name, node.op->name, what));
  }

  /// Scales and zero point of a Q or DQ node; nothing where they are not constant, or the zero
  /// points of the channels differ.
  std::optional<Quantization> parameters(const Node& node, DataType type) {
    const auto scales = constant_floats(graph_, node.inputs[1]);
    if (!scales || scales->empty()) return std::nullopt;
    Quantization q{.type = type, .scales = {scales->begin(), scales->end()}};
    if (!std::all_of(q.scales.begin(), q.scales.end(),
                     [](float s) { return std::isfinite(s) && s > 0; })) {
      problem(node, "its scales must be positive numbers");
      return std::nullopt;
    }
    if (q.scales.size() > 1) {
      q.axis = node.attributes.get_int("axis", 1);
      if (q.axis < 0) {
        q.axis += static_cast<std::int64_t>(graph_.value(node.inputs[0]).type.shape.size());
      }
    }
    if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
      if (!graph_.is_constant(node.inputs[2])) return std::nullopt;
      const auto zeros = graph_.value(node.inputs[2]).constant->to_int64();
      if (std::adjacent_find(zeros.begin(), zeros.end(), std::not_equal_to<>()) != zeros.end()) {
        return std::nullopt;
      }
      q.zero_point = zeros.empty() ? 0 : static_cast<std::int32_t>(zeros.front());
    }
    return q;
  }

  void absorb(Node& dequantize) {
    const ValueId stored = dequantize.inputs[0];
    const DataType type = graph_.value(stored).type.type;
    if (type != DataType::kInt8 && type != DataType::kUInt8) return;  // An int32 bias: a constant.
    const auto q = parameters(dequantize, type);
    if (!q) return;
    if (graph_.is_constant(stored)) {  // Weights; the float constant is there already.
      if (q->zero_point == 0) graph_.value(dequantize.outputs[0]).quantization = q;
      return;
    }
    const GraphIndex index(graph_);
    const std::int32_t producer = index.producer[static_cast<std::size_t>(stored)];
    if (producer < 0) return;
    const Node& quantize = graph_.nodes[static_cast<std::size_t>(producer)];
    if (!is_op(quantize, "QuantizeLinear") || parameters(quantize, type) != q) return;
    if (q->scales.size() > 1) {
      problem(dequantize, "activations with a scale for each channel; quantize them per tensor");
      return;
    }
    const ValueId x = quantize.inputs[0];
    const ValueId seen = dequantize.outputs[0];
    Value& value = graph_.value(x);
    const auto& readers = index.consumers[static_cast<std::size_t>(x)];
    const bool alone = std::all_of(readers.begin(), readers.end(), [&](std::int32_t reader) {
      return is_op(graph_.nodes[static_cast<std::size_t>(reader)], "QuantizeLinear");
    });
    if (!alone || value.constant || (value.quantization && *value.quantization != *q) ||
        index.is_output[static_cast<std::size_t>(x)] ||
        index.is_output[static_cast<std::size_t>(seen)]) {
      return;  // Somebody sees the value unrounded, or rounded otherwise: the pair stays.
    }
    value.quantization = q;
    replace_uses(graph_, seen, x);
  }

  /// Integer arithmetic can only take scales out of the sum over input channels.
  void check_weights() {
    for (const Node& node : graph_.nodes) {
      const auto axis = node.inputs.size() > 1 ? output_channel_axis(graph_, node) : std::nullopt;
      if (!axis || node.inputs[1] == kNoValue) continue;
      const auto& q = graph_.value(node.inputs[1]).quantization;
      if (!q || !graph_.is_constant(node.inputs[1]) || q->scales.size() == 1 || q->axis == *axis)
        continue;
      problem(node,
              fmt::format("scales of its weights run along axis {}, its output channels lie on {}",
                          q->axis, *axis));
    }
  }

  /// Q and DQ that nobody reads any more.
  void remove_dead_nodes() {
    while (hedge::remove_dead_nodes(graph_)) {
    }
  }

  Graph& graph_;
  std::vector<std::string> problems_;
};

}  // namespace

Graph to_qdq(const Graph& graph) {
  return Unfolder(graph).run();
}

void absorb_qdq(Graph& graph) {
  Absorber(graph).run();
}

Tensor quantize_tensor(const Tensor& x, const Quantization& quantization) {
  return run_qdq("QuantizeLinear", x, quantization);
}

Tensor dequantize_tensor(const Tensor& stored, const Quantization& quantization) {
  return run_qdq("DequantizeLinear", stored, quantization);
}

}  // namespace hedge
