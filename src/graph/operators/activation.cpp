// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numbers>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

// ---- Each makes the function of one number that a node stands for.

double parameter(const Node& node, const char* name, float fallback) {
  return node.attributes.get_float(name, fallback);
}

auto leaky_relu(const Node& node) {
  return [alpha = parameter(node, "alpha", 0.01F)](double x) { return x < 0 ? alpha * x : x; };
}
auto thresholded_relu(const Node& node) {
  return [alpha = parameter(node, "alpha", 1)](double x) { return x > alpha ? x : 0; };
}
auto elu(const Node& node) {
  return
      [alpha = parameter(node, "alpha", 1)](double x) { return x < 0 ? alpha * std::expm1(x) : x; };
}
auto celu(const Node& node) {
  return [alpha = parameter(node, "alpha", 1)](double x) {
    return x < 0 ? alpha * std::expm1(x / alpha) : x;
  };
}
auto selu(const Node& node) {  // The defaults are those of Klambauer et al., 2017.
  return [alpha = parameter(node, "alpha", 1.67326319217681884765625F),
          gamma = parameter(node, "gamma", 1.05070102214813232421875F)](double x) {
    return gamma * (x < 0 ? alpha * std::expm1(x) : x);
  };
}
auto hard_sigmoid(const Node& node) {
  return [alpha = parameter(node, "alpha", 0.2F), beta = parameter(node, "beta", 0.5F)](double x) {
    return std::min(std::max(alpha * x + beta, 0.0), 1.0);
  };
}
auto hard_swish(const Node& /*node*/) {
  return [](double x) { return x * std::min(std::max(x / 6 + 0.5, 0.0), 1.0); };
}
auto sigmoid(const Node& /*node*/) {
  return [](double x) { return 1 / (1 + std::exp(-x)); };
}
auto hyperbolic_tangent(const Node& /*node*/) {
  return [](double x) { return std::tanh(x); };
}
/// log(1 + exp(x)), without the overflow.
double soft_plus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}
auto softplus(const Node& /*node*/) {
  return [](double x) { return soft_plus(x); };
}
auto softsign(const Node& /*node*/) {
  return [](double x) { return x / (1 + std::abs(x)); };
}
auto mish(const Node& /*node*/) {
  return [](double x) { return x * std::tanh(soft_plus(x)); };
}
auto gelu(const Node& node) {
  const std::string approximate = node.attributes.get_string("approximate", "none");
  require(approximate == "none" || approximate == "tanh",
          fmt::format("attribute approximate: '{}'", approximate));
  return [by_tanh = approximate == "tanh"](double x) {
    const double bell =
        by_tanh ? std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x))
                : std::erf(x / std::numbers::sqrt2);
    return x / 2 * (1 + bell);
  };
}

template <auto make>
std::vector<TensorType> infer_activation(const Node& node, Inputs in) {
  (void)make(node);  // Attributes that are wrong are refused before anything runs.
  return same_as_first_of<is_float>(node, in);
}

template <auto make>
std::vector<Tensor> run_activation(const Node& node, Tensors in) {
  return {with_float(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    return map<T, T>(in[0], [f = make(node)](T x) { return static_cast<T>(f(x)); });
  })};
}

template <auto make>
constexpr Operator activation(std::string_view name) {
  return {.name = name,
          .infer = infer_activation<make>,
          .execute = run_activation<make>,
          .pointwise = true};
}

// ---- Relu and Clip, of any numbers

std::vector<Tensor> run_relu(const Node& /*node*/, Tensors in) {
  return {with_number(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    return map<T, T>(in[0], [](T x) { return x < 0 ? T{0} : x; });
  })};
}

/// Bounds are attributes up to opset 10, inputs from 11 on.
std::vector<TensorType> infer_clip(const Node& node, Inputs in) {
  for (std::size_t i = 1; i < 3; ++i) {
    require(!has(in, i) ||
                (element_count(in[i]->type.shape) == 1 && in[i]->type.type == in[0]->type.type),
            "a bound of Clip is one number of the input's type");
  }
  return same_as_first_of<is_number>(node, in);
}

template <class T>
T clip_bound(const Node& node, Tensors in, std::size_t i, const char* name, T fallback) {
  if (has(in, i)) return in[i].values<T>()[0];
  if (!node.attributes.has(name)) return fallback;
  return convert<T, float>(node.attributes.get_float(name, 0));
}

std::vector<Tensor> run_clip(const Node& node, Tensors in) {
  return {with_number(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    const T low = clip_bound(node, in, 1, "min", std::numeric_limits<T>::lowest());
    const T high = clip_bound(node, in, 2, "max", std::numeric_limits<T>::max());
    return map<T, T>(in[0], [&](T x) { return std::min(std::max(x, low), high); });
  })};
}

constexpr std::array kTable{
    Operator{.name = "Relu",
             .infer = same_as_first_of<is_number>,
             .execute = run_relu,
             .pointwise = true},
    Operator{.name = "Clip",
             .max_inputs = 3,
             .infer = infer_clip,
             .execute = run_clip,
             .pointwise = true},
    activation<leaky_relu>("LeakyRelu"),
    activation<thresholded_relu>("ThresholdedRelu"),
    activation<elu>("Elu"),
    activation<celu>("Celu"),
    activation<selu>("Selu"),
    activation<sigmoid>("Sigmoid"),
    activation<hard_sigmoid>("HardSigmoid"),
    activation<hard_swish>("HardSwish"),
    activation<hyperbolic_tangent>("Tanh"),
    activation<softplus>("Softplus"),
    activation<softsign>("Softsign"),
    activation<mish>("Mish"),
    activation<gelu>("Gelu"),
};

}  // namespace

std::span<const Operator> activation_table() {
  return kTable;
}

}  // namespace hedge::operators
