// SPDX-License-Identifier: Apache-2.0
#include "graph/post_op.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "graph/operators/operator.h"

namespace hedge {
namespace {

using Kind = PostOp::Kind;

constexpr std::array<std::pair<Kind, std::string_view>, 18> kNames{
    {{Kind::kAdd, "add"},
     {Kind::kRelu, "relu"},
     {Kind::kClip, "clip"},
     {Kind::kLeakyRelu, "leaky_relu"},
     {Kind::kElu, "elu"},
     {Kind::kTanh, "tanh"},
     {Kind::kSigmoid, "sigmoid"},
     {Kind::kHardSigmoid, "hard_sigmoid"},
     {Kind::kHardSwish, "hard_swish"},
     {Kind::kSwish, "swish"},
     {Kind::kGelu, "gelu"},
     {Kind::kGeluTanh, "gelu_tanh"},
     {Kind::kLinear, "linear"},
     {Kind::kExp, "exp"},
     {Kind::kLog, "log"},
     {Kind::kSqrt, "sqrt"},
     {Kind::kAbs, "abs"},
     {Kind::kPow, "pow"}}};

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

std::optional<float> one_number(const Graph& graph, ValueId id) {
  if (!graph.is_constant(id)) return std::nullopt;
  const Tensor& tensor = *graph.value(id).constant;
  if (tensor.type() != DataType::kFloat32 || tensor.size() != 1) return std::nullopt;
  return tensor.values<float>()[0];
}

std::optional<PostOp> clip_of(const Graph& graph, const Node& node) {
  PostOp clip{.kind = Kind::kClip,
              .alpha = node.attributes.get_float("min", std::numeric_limits<float>::lowest()),
              .beta = node.attributes.get_float("max", std::numeric_limits<float>::max())};
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const auto bound = one_number(graph, node.inputs[i]);
    if (!bound) return std::nullopt;
    (i == 1 ? clip.alpha : clip.beta) = *bound;
  }
  return clip;
}

/// Operators of one input.
std::optional<PostOp> unary_of(const Graph& graph, const Node& node) {
  const std::string_view op = node.op->name;
  const auto attribute = [&](const char* name, float fallback) {
    return node.attributes.get_float(name, fallback);
  };
  if (op == "Relu") return PostOp{.kind = Kind::kRelu};
  if (op == "Clip") return clip_of(graph, node);
  if (op == "LeakyRelu")
    return PostOp{.kind = Kind::kLeakyRelu, .alpha = attribute("alpha", 0.01F)};
  if (op == "Elu") return PostOp{.kind = Kind::kElu, .alpha = attribute("alpha", 1)};
  if (op == "Tanh") return PostOp{.kind = Kind::kTanh};
  if (op == "Sigmoid") return PostOp{.kind = Kind::kSigmoid};
  if (op == "HardSigmoid") {
    return PostOp{.kind = Kind::kHardSigmoid,
                  .alpha = attribute("alpha", 0.2F),
                  .beta = attribute("beta", 0.5F)};
  }
  if (op == "HardSwish") return PostOp{.kind = Kind::kHardSwish};
  if (op == "Gelu") {
    const bool erf = node.attributes.get_string("approximate", "none") != "tanh";
    return PostOp{.kind = erf ? Kind::kGelu : Kind::kGeluTanh};
  }
  if (op == "Neg") return PostOp{.kind = Kind::kLinear, .alpha = -1};
  if (op == "Exp") return PostOp{.kind = Kind::kExp};
  if (op == "Log") return PostOp{.kind = Kind::kLog};
  if (op == "Sqrt") return PostOp{.kind = Kind::kSqrt};
  if (op == "Abs") return PostOp{.kind = Kind::kAbs};
  if (op == "Reciprocal") return PostOp{.kind = Kind::kPow, .alpha = 1, .beta = -1};
  return std::nullopt;
}

/// x op c, or c op x where `swapped`.
std::optional<PostOp> arithmetic_of(std::string_view op, float c, bool swapped) {
  if (op == "Add") return PostOp{.kind = Kind::kLinear, .alpha = 1, .beta = c};
  if (op == "Mul") return PostOp{.kind = Kind::kLinear, .alpha = c};
  if (op == "Sub" && swapped) return PostOp{.kind = Kind::kLinear, .alpha = -1, .beta = c};
  if (op == "Sub") return PostOp{.kind = Kind::kLinear, .alpha = 1, .beta = -c};
  if (op == "Div" && swapped) return PostOp{.kind = Kind::kPow, .alpha = c, .beta = -1};
  if (op == "Div" && c != 0) return PostOp{.kind = Kind::kLinear, .alpha = 1 / c};
  if (op == "Pow" && !swapped) return PostOp{.kind = Kind::kPow, .alpha = 1, .beta = c};
  return std::nullopt;
}

}  // namespace

std::string_view to_string(PostOp::Kind kind) noexcept {
  const auto* found =
      std::find_if(kNames.begin(), kNames.end(), [&](const auto& e) { return e.first == kind; });
  return found == kNames.end() ? "none" : found->second;
}

std::optional<PostOp::Kind> post_op_kind(std::string_view name) noexcept {
  for (const auto& [kind, kind_name] : kNames) {
    if (kind_name == name) return kind;
  }
  return std::nullopt;
}

float apply_activation(const PostOp& post_op, float value) {
  const double x = value;
  const double alpha = post_op.alpha;
  const double beta = post_op.beta;
  const auto f = [&]() -> double {
    switch (post_op.kind) {
      case Kind::kRelu:
        return x < 0 ? 0 : x;
      case Kind::kClip:
        return std::min(std::max(x, alpha), beta);
      case Kind::kLeakyRelu:
        return x < 0 ? alpha * x : x;
      case Kind::kElu:
        return x < 0 ? alpha * std::expm1(x) : x;
      case Kind::kTanh:
        return std::tanh(x);
      case Kind::kSigmoid:
        return sigmoid(x);
      case Kind::kHardSigmoid:
        return std::min(std::max(alpha * x + beta, 0.0), 1.0);
      case Kind::kHardSwish:
        return x * std::min(std::max(x / 6 + 0.5, 0.0), 1.0);
      case Kind::kSwish:
        return x * sigmoid(alpha * x);
      case Kind::kGelu:
        return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
      case Kind::kGeluTanh:
        return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
      case Kind::kLinear:
        return alpha * x + beta;
      case Kind::kExp:
        return std::exp(x);
      case Kind::kLog:
        return std::log(x);
      case Kind::kSqrt:
        return std::sqrt(x);
      case Kind::kAbs:
        return std::abs(x);
      case Kind::kPow:
        return alpha * std::pow(x, beta);
      case Kind::kAdd:
        break;
    }
    throw runtime_failure("a post-op of two operands is no activation");
  };
  return static_cast<float>(f());
}

std::optional<Activation> activation_of(const Graph& graph, const Node& node) {
  if (node.op == nullptr || !node.post_ops.empty() || node.inputs.empty()) return std::nullopt;
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) return std::nullopt;
  }
  const TensorType& out = graph.value(node.outputs.at(0)).type;
  const auto applies = [&](ValueId x) {
    return x != kNoValue && out.type == DataType::kFloat32 && graph.value(x).type == out;
  };
  if (applies(node.inputs[0])) {
    if (const auto post_op = unary_of(graph, node)) return Activation{*post_op, node.inputs[0]};
  }
  if (node.inputs.size() != 2) return std::nullopt;
  for (const bool swapped : {false, true}) {
    const ValueId x = node.inputs[swapped ? 1 : 0];
    const auto c = one_number(graph, node.inputs[swapped ? 0 : 1]);
    if (!c || !applies(x) || graph.is_constant(x)) continue;
    if (const auto post_op = arithmetic_of(node.op->name, *c, swapped)) {
      return Activation{*post_op, x};
    }
  }
  return std::nullopt;
}

}  // namespace hedge
