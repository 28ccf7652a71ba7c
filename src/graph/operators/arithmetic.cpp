// SPDX-License-Identifier: Apache-2.0
// Arithmetic of two operands or any number of them, with numpy's broadcasting.
#include <array>
#include <cmath>

#include "graph/operators/broadcasting.h"

namespace hedge::operators {
namespace {

struct Plus {
  template <class T>
  T operator()(T a, T b) const {
    return wrapping(a, b, [](auto x, auto y) { return x + y; });
  }
};
struct Minus {
  template <class T>
  T operator()(T a, T b) const {
    return wrapping(a, b, [](auto x, auto y) { return x - y; });
  }
};
struct Times {
  template <class T>
  T operator()(T a, T b) const {
    return wrapping(a, b, [](auto x, auto y) { return x * y; });
  }
};
struct Over {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      require(b != 0, "an integer division by zero");
      if constexpr (std::is_signed_v<T>) {
        if (b == -1) return Minus{}(T{0}, a);  // The lowest integer has no positive counterpart.
      }
    }
    return static_cast<T>(a / b);
  }
};
// A NaN on either side is the result, as numpy has it.
struct Smaller {
  template <class T>
  T operator()(T a, T b) const {
    return b < a || b != b ? b : a;
  }
};
struct Larger {
  template <class T>
  T operator()(T a, T b) const {
    return b > a || b != b ? b : a;
  }
};

template <class Function>
Tensor combine(const Tensor& a, const Tensor& b) {
  return with_number(a.type(), [&](auto zero) {
    using T = decltype(zero);
    return zip<T, T, T>(a, b, Function{});
  });
}

template <class Function>
std::vector<Tensor> run_fold(const Node& /*node*/, Tensors in) {
  Tensor result = in[0];
  for (const Tensor& next : in.subspan(1)) result = combine<Function>(result, next);
  return {result};
}

template <class Function>
constexpr Operator binary(std::string_view name) {
  return {.name = name,
          .min_inputs = 2,
          .max_inputs = 2,
          .infer = infer_broadcast<is_number>,
          .execute = run_fold<Function>};
}

template <class Function>
constexpr Operator variadic(std::string_view name) {
  return {.name = name,
          .max_inputs = -1,
          .infer = infer_broadcast<is_number>,
          .execute = run_fold<Function>};
}

std::vector<Tensor> run_mean(const Node& node, Tensors in) {
  const Tensor sum = run_fold<Plus>(node, in)[0];
  return {with_float(sum.type(), [&](auto zero) {
    using T = decltype(zero);
    return map<T, T>(sum, [&](T x) { return x / static_cast<T>(in.size()); });
  })};
}

// ---- Mod

/// fmod: the sign of the dividend, as in C. Else, for integers only, that of the divisor (Python).
bool is_c_remainder(const Node& node, DataType type) {
  const bool fmod = node.attributes.get_int("fmod", 0) != 0;
  require(fmod || !is_float(type), "attribute fmod: must be 1 for floating point");
  return fmod;
}

template <class T>
T remainder(T a, T b, bool fmod) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::fmod(a, b);
  } else {
    require(b != 0, "an integer division by zero");
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;  // Of the lowest one: undefined.
    const T rest = static_cast<T>(a % b);
    const bool opposite = rest != 0 && (rest < 0) != (b < 0);
    return opposite && !fmod ? static_cast<T>(rest + b) : rest;
  }
}

std::vector<TensorType> infer_mod(const Node& node, Inputs in) {
  (void)is_c_remainder(node, in[0]->type.type);
  return infer_broadcast<is_number>(node, in);
}

std::vector<Tensor> run_mod(const Node& node, Tensors in) {
  return {with_number(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    const bool fmod = is_c_remainder(node, in[0].type());
    return zip<T, T, T>(in[0], in[1], [&](T a, T b) { return remainder(a, b, fmod); });
  })};
}

// ---- Pow, PRelu

/// The exponent may be of another type than the base, which is the result's.
std::vector<TensorType> infer_pow(const Node& /*node*/, Inputs in) {
  require_type(in[0]->type.type, is_number);
  require_type(in[1]->type.type, is_number);
  return {{in[0]->type.type, broadcast(in[0]->type.shape, in[1]->type.shape)}};
}

std::vector<Tensor> run_pow(const Node& /*node*/, Tensors in) {
  return {with_number(in[0].type(), [&](auto base_zero) {
    using Base = decltype(base_zero);
    return with_number(in[1].type(), [&](auto exponent_zero) {
      using Exponent = decltype(exponent_zero);
      return zip<Base, Base, Exponent>(in[0], in[1], [](Base base, Exponent exponent) {
        return convert<Base>(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
      });
    });
  })};
}

struct Slope {
  template <class T>
  T operator()(T x, T slope) const {
    return x < 0 ? Times{}(x, slope) : x;
  }
};

std::vector<TensorType> infer_prelu(const Node& node, Inputs in) {
  auto types = infer_broadcast<is_number>(node, in);
  require(types[0].shape == in[0]->type.shape,
          fmt::format("slopes of shape {} do not fit the input {}", to_string(in[1]->type.shape),
                      to_string(in[0]->type.shape)));
  return types;
}

constexpr std::array kTable{
    binary<Plus>("Add"),
    binary<Minus>("Sub"),
    binary<Times>("Mul"),
    binary<Over>("Div"),
    variadic<Smaller>("Min"),
    variadic<Larger>("Max"),
    variadic<Plus>("Sum"),
    Operator{
        .name = "Mean", .max_inputs = -1, .infer = infer_broadcast<is_float>, .execute = run_mean},
    Operator{
        .name = "Mod", .min_inputs = 2, .max_inputs = 2, .infer = infer_mod, .execute = run_mod},
    Operator{
        .name = "Pow", .min_inputs = 2, .max_inputs = 2, .infer = infer_pow, .execute = run_pow},
    Operator{.name = "PRelu",
             .min_inputs = 2,
             .max_inputs = 2,
             .infer = infer_prelu,
             .execute = run_fold<Slope>},
};

}  // namespace

std::span<const Operator> arithmetic_table() {
  return kTable;
}

}  // namespace hedge::operators
