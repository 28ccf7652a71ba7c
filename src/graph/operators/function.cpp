// SPDX-License-Identifier: Apache-2.0
// Functions of one number, element by element, that are no activations.
#include <array>
#include <cmath>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

// ---- of floating-point numbers

template <double (*f)(double)>
std::vector<Tensor> run_float_function(const Node& /*node*/, Tensors in) {
  return {with_float(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    return map<T, T>(in[0], [](T x) { return static_cast<T>(f(x)); });
  })};
}

template <double (*f)(double)>
constexpr Operator float_function(std::string_view name) {
  return {.name = name,
          .infer = same_as_first_of<is_float>,
          .execute = run_float_function<f>,
          .pointwise = true};
}

double reciprocal(double x) {
  return 1 / x;
}

// ---- of any numbers

struct Negative {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_integral_v<T>) {  // The lowest number wraps to itself.
      return static_cast<T>(std::make_unsigned_t<T>{0} - static_cast<std::make_unsigned_t<T>>(x));
    } else {
      return -x;
    }
  }
};
struct Absolute {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::abs(x);
    return x < 0 ? Negative{}(x) : x;
  }
};
struct Sign {
  template <class T>
  T operator()(T x) const {
    return static_cast<T>((x > 0 ? 1 : 0) - (x < 0 ? 1 : 0));
  }
};

template <class Function>
std::vector<Tensor> run_number_function(const Node& /*node*/, Tensors in) {
  return {with_number(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    return map<T, T>(in[0], Function{});
  })};
}

template <class Function>
constexpr Operator number_function(std::string_view name) {
  return {.name = name,
          .infer = same_as_first_of<is_number>,
          .execute = run_number_function<Function>,
          .pointwise = true};
}

// ---- others

std::vector<Tensor> run_not(const Node& /*node*/, Tensors in) {
  return {map<bool, bool>(in[0], [](bool x) { return !x; })};
}

std::vector<Tensor> run_identity(const Node& /*node*/, Tensors in) {
  return {in[0]};
}

bool wants_mask(const Node& node) {
  return node.outputs.size() > 1 && node.outputs[1] != kNoValue;
}

/// Inputs: data, ratio, training_mode. For inference it is the identity, with a mask of all ones.
std::vector<TensorType> infer_dropout(const Node& node, Inputs in) {
  require_type(in[0]->type.type, is_float);
  const Ints training = known_ints(in, 2, "training_mode").value_or(Ints{0});
  require(training == Ints{0}, "training_mode is set; export the model for inference");
  std::vector<TensorType> types{in[0]->type};
  if (wants_mask(node)) types.push_back({DataType::kBool, in[0]->type.shape});
  return types;
}

std::vector<Tensor> run_dropout(const Node& node, Tensors in) {
  std::vector<Tensor> out{in[0]};
  if (wants_mask(node)) {
    out.emplace_back(DataType::kBool, in[0].shape());
    for (bool& kept : out[1].mutable_values<bool>()) kept = true;
  }
  return out;
}

constexpr std::array kTable{
    float_function<std::exp>("Exp"),
    float_function<std::log>("Log"),
    float_function<std::sqrt>("Sqrt"),
    float_function<reciprocal>("Reciprocal"),
    float_function<std::erf>("Erf"),
    float_function<std::floor>("Floor"),
    float_function<std::ceil>("Ceil"),
    float_function<std::nearbyint>("Round"),  // Halves to the even number, as ONNX has it.
    float_function<std::sin>("Sin"),
    float_function<std::cos>("Cos"),
    number_function<Negative>("Neg"),
    number_function<Absolute>("Abs"),
    number_function<Sign>("Sign"),
    Operator{
        .name = "Not", .infer = same_as_first_of<is_bool>, .execute = run_not, .pointwise = true},
    Operator{
        .name = "Identity", .infer = same_as_first, .execute = run_identity, .pointwise = true},
    Operator{.name = "Dropout",
             .max_inputs = 3,
             .infer = infer_dropout,
             .execute = run_dropout,
             .pointwise = true},
};

}  // namespace

std::span<const Operator> function_table() {
  return kTable;
}

}  // namespace hedge::operators
