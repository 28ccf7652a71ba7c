// SPDX-License-Identifier: Apache-2.0
#include "quant/qdq.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <numbers>
#include <utility>

#include "graph/operators/operator.h"
#include "graph/passes/edit.h"
#include "graph/passes/passes.h"
#include "graph/quantization.h"

namespace hedge {
namespace {

Node qdq_node(const char* op, std::string name, const Quantization& q) {
  Node node;
  node.name = std::move(name);
  node.op = &get_operator(op);
  if (q.scales.size() > 1) node.attributes.set("axis", q.axis);
  return node;
}

// ---- to explicit nodes

class Unfolder {
 public:
  Unfolder(const Graph& graph, bool stored_weights)
      : from_(graph),
        to_(graph),
        stored_weights_(stored_weights),
        rounded_(graph.values.size(), kNoValue) {
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
    if (stored_weights_ && from_.is_constant(id)) {
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
    name_ = node.name;
    to_.nodes.push_back(std::move(plain));
    for (const PostOp& post_op : post_ops) {
      // What was made so far goes by another name, so that the last result has the layer's.
      const ValueId last = node.outputs.at(0);
      const ValueId between = to_.add_value(name_ + "_result", from_.value(last).type);
      to_.nodes.back().outputs[0] = between;
      apply(post_op, between);
      to_.nodes.back().outputs = {last};
    }
  }

  /// A node behind the others, its result a value of its own.
  ValueId add(const char* op, std::vector<ValueId> inputs, Attributes attributes = {}) {
    Node node;
    node.op = &get_operator(op);
    node.name = fmt::format("{}_{}", name_, op);
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    const ValueId result = to_.add_value(node.name + "_result");
    node.outputs = {result};
    to_.nodes.push_back(std::move(node));
    return result;
  }

  ValueId number(float x) {
    return to_.add_constant(name_ + "_number", Tensor::from<float>({}, std::span(&x, 1)));
  }

  /// The formulas of PostOp::Kind in operators of opset 17. The last node added has the result.
  void apply(const PostOp& post_op, ValueId x) {
    const auto with = [](std::initializer_list<std::pair<const char*, float>> values) {
      Attributes attributes;
      for (const auto& [name, value] : values) attributes.set(name, value);
      return attributes;
    };
    const float alpha = post_op.alpha;
    const float beta = post_op.beta;
    switch (post_op.kind) {
      case PostOp::Kind::kAdd:
        add("Add", {x, read(post_op.operand)});
        break;
      case PostOp::Kind::kRelu:
        add("Relu", {x});
        break;
      case PostOp::Kind::kClip:
        add("Clip", {x, number(alpha), number(beta)});
        break;
      case PostOp::Kind::kLeakyRelu:
        add("LeakyRelu", {x}, with({{"alpha", alpha}}));
        break;
      case PostOp::Kind::kElu:
        add("Elu", {x}, with({{"alpha", alpha}}));
        break;
      case PostOp::Kind::kTanh:
        add("Tanh", {x});
        break;
      case PostOp::Kind::kSigmoid:
        add("Sigmoid", {x});
        break;
      case PostOp::Kind::kHardSigmoid:
        add("HardSigmoid", {x}, with({{"alpha", alpha}, {"beta", beta}}));
        break;
      case PostOp::Kind::kHardSwish:
        add("HardSwish", {x});
        break;
      case PostOp::Kind::kSwish:
        add("Mul", {x, add("Sigmoid", {alpha == 1 ? x : add("Mul", {x, number(alpha)})})});
        break;
      case PostOp::Kind::kGelu:
        apply_gelu(x, add("Erf", {add("Mul", {x, number(std::numbers::sqrt2_v<float> / 2)})}));
        break;
      case PostOp::Kind::kGeluTanh: {
        const ValueId cube = add("Mul", {add("Mul", {x, x}), x});
        const ValueId sum = add("Add", {x, add("Mul", {cube, number(0.044715F)})});
        const float root = std::sqrt(2 * std::numbers::inv_pi_v<float>);
        apply_gelu(x, add("Tanh", {add("Mul", {sum, number(root)})}));
        break;
      }
      case PostOp::Kind::kLinear:
        add("Add", {add("Mul", {x, number(alpha)}), number(beta)});
        break;
      case PostOp::Kind::kExp:
        add("Exp", {x});
        break;
      case PostOp::Kind::kLog:
        add("Log", {x});
        break;
      case PostOp::Kind::kSqrt:
        add("Sqrt", {x});
        break;
      case PostOp::Kind::kAbs:
        add("Abs", {x});
        break;
      case PostOp::Kind::kPow:
        add("Mul", {add("Pow", {x, number(beta)}), number(alpha)});
        break;
    }
  }

  void apply_gelu(ValueId x, ValueId curve) {
    const ValueId half = add("Mul", {x, number(0.5F)});
    add("Mul", {half, add("Add", {curve, number(1)})});
  }

  const Graph& from_;
  Graph to_;
  bool stored_weights_;
  std::vector<ValueId> rounded_;  ///< By value: what readers see, once it is there.
  std::string name_;              ///< Of the node that is being unfolded.
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
      if (is_op(node, "Cast")) skip_cast(node);
    }
    for (Node& node : graph_.nodes) {
      if (is_op(node, "Clip")) move_clip(node);
    }
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

  /// PyTorch's converted models cast what is 8 bits already.
  void skip_cast(const Node& node) {
    const DataType from = graph_.value(node.inputs[0]).type.type;
    if (from == graph_.value(node.outputs[0]).type.type) {
      replace_uses(graph_, node.outputs[0], node.inputs[0]);
    }
  }

  /// PyTorch's fake quantisation of fewer than 256 levels (reduce_range) clips the integers.
  /// Rounding keeps the order of numbers and a bound lies on a level, so clipping the floats before
  /// is the same.
  void move_clip(Node& clip) {
    const auto type = graph_.value(clip.inputs[0]).type.type;
    if (type != DataType::kInt8 && type != DataType::kUInt8) return;
    const GraphIndex index(graph_);
    const auto stored = static_cast<std::size_t>(clip.inputs[0]);
    if (index.producer[stored] < 0 || index.consumers[stored].size() != 1 ||
        index.is_output[stored]) {
      return;
    }
    Node& quantize = graph_.nodes[static_cast<std::size_t>(index.producer[stored])];
    if (!is_op(quantize, "QuantizeLinear")) return;
    const auto q = parameters(quantize, type);
    const auto [lowest, highest] = stored_range(type);
    const auto lower = bound(clip, 1, lowest);
    const auto upper = bound(clip, 2, highest);
    if (!q || q->scales.size() > 1 || !lower || !upper) return;
    const auto level = [&](std::int64_t stored_as) {
      const auto x = static_cast<float>(stored_as - q->zero_point) * q->scales.front();
      return graph_.add_constant(clip.name + "_bound", Tensor::from<float>({}, std::span(&x, 1)));
    };
    const ValueId x = quantize.inputs[0];
    const ValueId clipped =
        graph_.add_value(graph_.value(x).name + "_clipped", graph_.value(x).type);
    std::swap(quantize.op, clip.op);
    std::swap(quantize.attributes, clip.attributes);
    std::swap(quantize.name, clip.name);
    clip.inputs = quantize.inputs;
    clip.inputs[0] = clipped;
    quantize.inputs = {x, level(*lower), level(*upper)};
    quantize.outputs = {clipped};
  }

  /// A bound of a Clip of integers; nothing where it is not constant.
  [[nodiscard]] std::optional<std::int64_t> bound(const Node& clip, std::size_t input,
                                                  std::int64_t otherwise) const {
    if (!has_input(clip, input)) return otherwise;
    if (!graph_.is_constant(clip.inputs[input])) return std::nullopt;
    const auto values = graph_.value(clip.inputs[input]).constant->to_int64();
    if (values.size() != 1) return std::nullopt;
    return values.front();
  }

  void absorb(Node& dequantize) {
    const ValueId stored = dequantize.inputs[0];
    const DataType type = graph_.value(stored).type.type;
    if (type != DataType::kInt8 && type != DataType::kUInt8) return;  // An int32 bias: a constant.
    const auto q = parameters(dequantize, type);
    if (!q) return;
    if (graph_.is_constant(stored)) {  // Weights; the float constant is there already.
      hold_weights(dequantize.outputs[0], *q);
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
    const bool rounded_for_all =
        value.quantization ? value.quantization == q
                           : std::all_of(readers.begin(), readers.end(), [&](std::int32_t reader) {
                               const Node& node = graph_.nodes[static_cast<std::size_t>(reader)];
                               return is_op(node, "QuantizeLinear") && parameters(node, type) == q;
                             });
    if (value.constant) return;
    const bool is_output = index.is_output[static_cast<std::size_t>(seen)];
    if (rounded_for_all && !index.is_output[static_cast<std::size_t>(x)]) {
      value.quantization = q;
      if (!is_output) {
        replace_uses(graph_, seen, x);
        return;
      }
    } else if (is_output) {
      return;
    } else {  // Somebody sees the value unrounded, or rounded otherwise: a value of its own.
      graph_.value(seen).quantization = q;
    }
    dequantize.op = &get_operator("Identity");
    dequantize.inputs = {x};
    dequantize.attributes = {};
  }

  /// Weights are int8 with zero point 0; uint8 with 128 is the same in other clothes.
  void hold_weights(ValueId weights, Quantization q) {
    if (q.type == DataType::kUInt8 && q.zero_point == 128) {
      q.type = DataType::kInt8;
      q.zero_point = 0;
    }
    if (q.type == DataType::kInt8 && q.zero_point == 0) graph_.value(weights).quantization = q;
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

Graph to_qdq(const Graph& graph, bool stored_weights) {
  return Unfolder(graph, stored_weights).run();
}

void absorb_qdq(Graph& graph) {
  Absorber(graph).run();
}

}  // namespace hedge
