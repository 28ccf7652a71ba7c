// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "graph/operators/operator.h"

namespace hedge::operators {

using Ints = std::vector<std::int64_t>;
using Inputs = std::span<const Value* const>;
using Tensors = std::span<const Tensor>;

/// Throws bad_input(message) unless the condition holds.
void require(bool condition, const std::string& message);

// Sets of element types.
[[nodiscard]] constexpr bool is_float(DataType type) {
  return type == DataType::kFloat32 || type == DataType::kFloat64;
}
[[nodiscard]] constexpr bool is_number(DataType type) {
  return type != DataType::kBool;
}
[[nodiscard]] constexpr bool is_bool(DataType type) {
  return type == DataType::kBool;
}
[[nodiscard]] constexpr bool is_any(DataType /*type*/) {
  return true;
}
using TypeSet = bool (*)(DataType);

/// Throws bad_input naming the type unless the set has it.
void require_type(DataType type, TypeSet set);

/// The i-th input is there.
[[nodiscard]] inline bool has(Inputs inputs, std::size_t i) {
  return i < inputs.size() && inputs[i] != nullptr;
}
[[nodiscard]] inline bool has(Tensors inputs, std::size_t i) {
  return i < inputs.size() && static_cast<bool>(inputs[i]);
}

/// The integers of input i, which must be known before the run (a shape, axes, pads). Nothing where
/// the input is absent.
[[nodiscard]] std::optional<Ints> known_ints(Inputs inputs, std::size_t i, const char* what);
[[nodiscard]] std::optional<Ints> known_ints(Tensors inputs, std::size_t i, const char* what);

/// From an input (newer opsets) or else the attribute (older ones); nothing where there is neither.
template <class In>
[[nodiscard]] std::optional<Ints> ints_of(const Node& node, In inputs, std::size_t i,
                                          const char* attribute) {
  if (auto ints = known_ints(inputs, i, attribute)) return ints;
  if (node.attributes.has(attribute)) return node.attributes.get_ints(attribute);
  return std::nullopt;
}

/// Axis in 0..rank-1 (or 0..rank for `insert`); negative ones count from the end.
[[nodiscard]] std::size_t normal_axis(std::int64_t axis, std::size_t rank);
/// Sorted, without repetition.
[[nodiscard]] std::vector<std::size_t> normal_axes(const Ints& axes, std::size_t rank);

/// For counts of work: a * b, or 2^50, which is more than anybody has time for, where it is more.
[[nodiscard]] std::int64_t bounded_product(std::int64_t a, std::int64_t b);

/// numpy's rule. Throws where the shapes do not fit.
[[nodiscard]] Shape broadcast(const Shape& a, const Shape& b);
/// Row-major strides, in elements.
[[nodiscard]] Ints strides_of(const Shape& shape);
/// Strides of `shape` inside the broadcast result `out`: 0 along axes that are repeated.
[[nodiscard]] Ints broadcast_strides(const Shape& shape, const Shape& out);

/// Calls f(index vector, flat position) for each element in row-major order.
template <class Function>
void for_each_index(const Shape& shape, Function f) {
  const std::int64_t count = element_count(shape);
  Ints index(shape.size(), 0);
  for (std::int64_t flat = 0; flat < count; ++flat) {
    f(index, static_cast<std::size_t>(flat));
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

[[nodiscard]] inline std::size_t dot(const Ints& index, const Ints& strides) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < index.size(); ++i) sum += index[i] * strides[i];
  return static_cast<std::size_t>(sum);
}

/// Calls f with a zero of the C++ type that goes with the element type.
template <class Function>
auto with_type(DataType type, Function f) {
  switch (type) {
    case DataType::kFloat32:
      return f(float{});
    case DataType::kFloat64:
      return f(double{});
    case DataType::kInt8:
      return f(std::int8_t{});
    case DataType::kUInt8:
      return f(std::uint8_t{});
    case DataType::kInt32:
      return f(std::int32_t{});
    case DataType::kInt64:
      return f(std::int64_t{});
    case DataType::kBool:
      break;
  }
  return f(bool{});
}

/// As with_type, for element types that is_float has; throws bad_input for others.
template <class Function>
auto with_float(DataType type, Function f) {
  require_type(type, is_float);
  return type == DataType::kFloat32 ? f(float{}) : f(double{});
}

/// As with_type, for element types that is_number has; throws bad_input for bool.
template <class Function>
auto with_number(DataType type, Function f) {
  require_type(type, is_number);
  return with_type(type, [&](auto zero) {
    // bool is instantiated too, but never gets here.
    using T =
        std::conditional_t<std::is_same_v<decltype(zero), bool>, std::uint8_t, decltype(zero)>;
    return f(T{});
  });
}

/// Out of range, ONNX leaves the result of a conversion open and C++ leaves it undefined: saturate.
template <class To, class From>
[[nodiscard]] To convert(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From{};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    const double wide = value;
    if (std::isnan(wide)) return 0;
    if (wide <= static_cast<double>(std::numeric_limits<To>::min()))
      return std::numeric_limits<To>::min();
    if (wide >= static_cast<double>(std::numeric_limits<To>::max()))
      return std::numeric_limits<To>::max();
    return static_cast<To>(wide);
  } else {
    return static_cast<To>(value);
  }
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

/// f of each element; the result has elements of type To.
template <class To, class From, class Function>
[[nodiscard]] Tensor map(const Tensor& in, Function f) {
  Tensor out(kDataTypeOf<To>, in.shape());
  const auto from = in.values<From>();
  std::transform(from.begin(), from.end(), out.mutable_values<To>().begin(), f);
  return out;
}

/// A copy of selected elements: output element i comes from input element source(index), or is
/// `fill` where that is negative. For everything that only moves data.
template <class Source>
Tensor gather_elements(const Tensor& in, const Shape& out_shape, Source source, double fill = 0) {
  return with_type(in.type(), [&](auto zero) {
    using T = decltype(zero);
    Tensor out(in.type(), out_shape);
    const auto from = in.values<T>();
    const auto to = out.mutable_values<T>();
    for_each_index(out_shape, [&](const Ints& index, std::size_t flat) {
      const std::int64_t position = source(index);
      to[flat] = position < 0 ? static_cast<T>(fill) : from[static_cast<std::size_t>(position)];
    });
    return out;
  });
}

/// A window over any number of spatial axes, checked against the input.
struct SlidingWindow {
  Ints kernel, strides, dilations, pad_begin, pad_end;
  Shape output;  ///< Spatial extents of the result.
};

/// Reads kernel_shape (or `kernel` where given), strides, dilations, pads, auto_pad, ceil_mode.
/// `spatial` are the input's extents from axis 2 on.
[[nodiscard]] SlidingWindow sliding_window(const Node& node, const Shape& spatial,
                                           const Ints& kernel);

[[nodiscard]] std::vector<TensorType> same_as_first(const Node& node, Inputs inputs);

/// As same_as_first, for the element types of a set.
template <TypeSet set>
[[nodiscard]] std::vector<TensorType> same_as_first_of(const Node& /*node*/, Inputs inputs) {
  require_type(inputs[0]->type.type, set);
  return {inputs[0]->type};
}

// The tables of the families, one a file.
[[nodiscard]] std::span<const Operator> activation_table();
[[nodiscard]] std::span<const Operator> arithmetic_table();
[[nodiscard]] std::span<const Operator> cast_table();
[[nodiscard]] std::span<const Operator> comparison_table();
[[nodiscard]] std::span<const Operator> convolution_table();
[[nodiscard]] std::span<const Operator> function_table();
[[nodiscard]] std::span<const Operator> indexing_table();
[[nodiscard]] std::span<const Operator> matrix_table();
[[nodiscard]] std::span<const Operator> movement_table();
[[nodiscard]] std::span<const Operator> normalization_table();
[[nodiscard]] std::span<const Operator> pooling_table();
[[nodiscard]] std::span<const Operator> quantization_table();
[[nodiscard]] std::span<const Operator> reduction_table();
[[nodiscard]] std::span<const Operator> resize_table();
[[nodiscard]] std::span<const Operator> selection_table();
[[nodiscard]] std::span<const Operator> shape_table();
[[nodiscard]] std::span<const Operator> slicing_table();
[[nodiscard]] std::span<const Operator> softmax_table();

}  // namespace hedge::operators
