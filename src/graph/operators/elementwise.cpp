// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

// ---- one operand

std::vector<TensorType> infer_float_unary(const Node& /*node*/, Inputs in) {
  require(in[0]->type.type == DataType::kFloat32, "only float32");
  return {in[0]->type};
}

template <class Function>
Tensor map_floats(const Tensor& in, Function f) {
  Tensor out(DataType::kFloat32, in.shape());
  const auto x = in.values<float>();
  std::transform(x.begin(), x.end(), out.mutable_values<float>().begin(), f);
  return out;
}

std::vector<Tensor> run_relu(const Node& /*node*/, Tensors in) {
  return {map_floats(in[0], [](float x) { return x < 0 ? 0.F : x; })};
}

/// Bounds are attributes up to opset 10, inputs from 11 on.
float clip_bound(const Node& node, Tensors in, std::size_t i, const char* name, float fallback) {
  if (!has(in, i)) return node.attributes.get_float(name, fallback);
  require(in[i].size() == 1, "a bound of Clip is one number");
  return in[i].values<float>()[0];
}

std::vector<Tensor> run_clip(const Node& node, Tensors in) {
  const float low = clip_bound(node, in, 1, "min", std::numeric_limits<float>::lowest());
  const float high = clip_bound(node, in, 2, "max", std::numeric_limits<float>::max());
  return {map_floats(in[0], [&](float x) { return std::min(std::max(x, low), high); })};
}

std::vector<Tensor> run_identity(const Node& /*node*/, Tensors in) {
  return {in[0]};
}

std::vector<TensorType> infer_dropout(const Node& node, Inputs in) {
  require(node.outputs.size() < 2 || node.outputs[1] == kNoValue,
          "the mask of Dropout is for training");
  return {in[0]->type};
}

// ---- two operands, numpy's broadcasting

std::vector<TensorType> infer_binary(const Node& /*node*/, Inputs in) {
  const DataType type = in[0]->type.type;
  require(type == in[1]->type.type,
          fmt::format("operands of {} and {}", to_string(type), to_string(in[1]->type.type)));
  require(type == DataType::kFloat32 || type == DataType::kInt64 || type == DataType::kInt32,
          fmt::format("operands of {}", to_string(type)));
  return {{type, broadcast(in[0]->type.shape, in[1]->type.shape)}};
}

template <class T, class Function>
Tensor zip(const Tensor& a, const Tensor& b, Function f) {
  const Shape shape = broadcast(a.shape(), b.shape());
  const Ints a_strides = broadcast_strides(a.shape(), shape);
  const Ints b_strides = broadcast_strides(b.shape(), shape);
  Tensor out(a.type(), shape);
  const auto to = out.mutable_values<T>();
  for_each_index(shape, [&](const Ints& index, std::size_t flat) {
    to[flat] = f(a.values<T>()[dot(index, a_strides)], b.values<T>()[dot(index, b_strides)]);
  });
  return out;
}

/// Integers wrap as unsigned ones do: signed overflow out of a foreign file would be undefined.
template <class T, class Function>
T wrapping(T a, T b, Function f) {
  if constexpr (std::is_floating_point_v<T>) {
    return f(a, b);
  } else {
    using Unsigned = std::make_unsigned_t<T>;
    return static_cast<T>(f(static_cast<Unsigned>(a), static_cast<Unsigned>(b)));
  }
}

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
      require(b != 0 && !(a == std::numeric_limits<T>::min() && b == -1),
              "an integer division by zero");
    }
    return a / b;
  }
};

template <class Function>
std::vector<Tensor> run_binary(const Node& /*node*/, Tensors in) {
  switch (in[0].type()) {
    case DataType::kInt64:
      return {zip<std::int64_t>(in[0], in[1], Function{})};
    case DataType::kInt32:
      return {zip<std::int32_t>(in[0], in[1], Function{})};
    default:
      return {zip<float>(in[0], in[1], Function{})};
  }
}

constexpr std::array kTable{
    Operator{.name = "Relu", .infer = infer_float_unary, .execute = run_relu},
    Operator{.name = "Clip", .max_inputs = 3, .infer = infer_float_unary, .execute = run_clip},
    Operator{.name = "Identity", .infer = same_as_first, .execute = run_identity},
    Operator{.name = "Dropout", .max_inputs = 3, .infer = infer_dropout, .execute = run_identity},
    Operator{.name = "Add",
             .min_inputs = 2,
             .max_inputs = 2,
             .infer = infer_binary,
             .execute = run_binary<Plus>},
    Operator{.name = "Sub",
             .min_inputs = 2,
             .max_inputs = 2,
             .infer = infer_binary,
             .execute = run_binary<Minus>},
    Operator{.name = "Mul",
             .min_inputs = 2,
             .max_inputs = 2,
             .infer = infer_binary,
             .execute = run_binary<Times>},
    Operator{.name = "Div",
             .min_inputs = 2,
             .max_inputs = 2,
             .infer = infer_binary,
             .execute = run_binary<Over>},
};

}  // namespace

std::span<const Operator> elementwise_table() {
  return kTable;
}

}  // namespace hedge::operators
