// SPDX-License-Identifier: Apache-2.0
// Operators that make shapes and constants, or give a tensor another shape over the same elements.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <type_traits>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

TensorType view(const Value& in, Shape shape) {
  require(element_count(shape) == element_count(in.type.shape),
          fmt::format("{} does not hold the elements of {}", to_string(shape),
                      to_string(in.type.shape)));
  return {in.type.type, std::move(shape)};
}

/// All views run alike: the elements under the inferred shape.
template <auto infer>
std::vector<Tensor> run_view(const Node& node, Tensors in) {
  std::vector<Value> values(in.size());
  std::vector<const Value*> pointers(in.size(), nullptr);
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!in[i]) continue;
    values[i].type = {in[i].type(), in[i].shape()};
    if (i > 0) values[i].constant = in[i];
    pointers[i] = &values[i];
  }
  return {in[0].reshaped(infer(node, Inputs(pointers))[0].shape)};
}

std::vector<TensorType> infer_reshape(const Node& node, Inputs in) {
  const auto target = ints_of(node, in, 1, "shape");
  require(target.has_value(), "the target shape is missing");
  const Shape& from = in[0]->type.shape;
  const bool allow_zero = node.attributes.get_int("allowzero", 0) != 0;
  Shape out = *target;
  std::ptrdiff_t open = -1;
  std::int64_t known = 1;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] == -1) {
      require(open < 0, "two extents of -1");
      open = static_cast<std::ptrdiff_t>(i);
      continue;
    }
    if (out[i] == 0 && !allow_zero) {
      require(i < from.size(), "0 copies an extent that the input does not have");
      out[i] = from[i];
    }
    known = element_count({known, out[i]});
  }
  if (open >= 0) {
    const std::int64_t count = element_count(from);
    require(known != 0 && count % known == 0,
            fmt::format("{} elements do not divide into {}", count, fmt::join(*target, "x")));
    out[static_cast<std::size_t>(open)] = count / known;
  }
  return {view(*in[0], out)};
}

std::vector<TensorType> infer_flatten(const Node& node, Inputs in) {
  const Shape& shape = in[0]->type.shape;
  const std::int64_t given = node.attributes.get_int("axis", 1);
  const auto rank = static_cast<std::int64_t>(shape.size());
  require(given >= -rank && given <= rank,
          fmt::format("axis {} of a tensor with {} axes", given, rank));
  const auto split = shape.begin() + (given < 0 ? given + rank : given);
  return {view(*in[0], {element_count(Shape(shape.begin(), split)),
                        element_count(Shape(split, shape.end()))})};
}

std::vector<TensorType> infer_squeeze(const Node& node, Inputs in) {
  const Shape& shape = in[0]->type.shape;
  const auto given = ints_of(node, in, 1, "axes");
  Ints axes;
  for (std::size_t i = 0; i < shape.size() && !given; ++i) {
    if (shape[i] == 1) axes.push_back(static_cast<std::int64_t>(i));
  }
  const auto gone = normal_axes(given.value_or(axes), shape.size());
  Shape out;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (!std::binary_search(gone.begin(), gone.end(), i)) {
      out.push_back(shape[i]);
    } else {
      require(shape[i] == 1,
              fmt::format("axis {} has extent {}, only 1 can be squeezed", i, shape[i]));
    }
  }
  return {view(*in[0], out)};
}

std::vector<TensorType> infer_unsqueeze(const Node& node, Inputs in) {
  const Shape& shape = in[0]->type.shape;
  const auto given = ints_of(node, in, 1, "axes");
  require(given.has_value(), "axes are missing");
  const std::size_t rank = shape.size() + given->size();
  require(rank <= 16, "too many axes");
  const auto made = normal_axes(*given, rank);
  Shape out;
  auto next = shape.begin();
  for (std::size_t i = 0; i < rank; ++i) {
    out.push_back(std::binary_search(made.begin(), made.end(), i) ? 1 : *next++);
  }
  return {view(*in[0], out)};
}

// ---- Shape, Size, Constant, ConstantOfShape

/// The part of the shape that `start` and `end` (opset 15) select.
Shape selected_shape(const Node& node, const Shape& shape) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto clamp = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const std::int64_t start = clamp(node.attributes.get_int("start", 0));
  const std::int64_t end = clamp(node.attributes.get_int("end", rank));
  if (start >= end) return {};
  return {shape.begin() + start, shape.begin() + end};
}

std::vector<TensorType> infer_shape(const Node& node, Inputs in) {
  const auto size = selected_shape(node, in[0]->type.shape).size();
  return {{DataType::kInt64, {static_cast<std::int64_t>(size)}}};
}

std::vector<Tensor> run_shape(const Node& node, Tensors in) {
  const Shape shape = selected_shape(node, in[0].shape());
  return {Tensor::from<std::int64_t>({static_cast<std::int64_t>(shape.size())}, shape)};
}

std::vector<TensorType> infer_size(const Node& /*node*/, Inputs /*in*/) {
  return {{DataType::kInt64, {}}};
}

std::vector<Tensor> run_size(const Node& /*node*/, Tensors in) {
  const std::int64_t size = in[0].size();
  return {Tensor::from<std::int64_t>({}, std::span(&size, 1))};
}

/// The importer turns the other forms of Constant (value_int, ...) into this one.
Tensor constant_value(const Node& node) {
  Tensor value = node.attributes.get_tensor("value");
  require(static_cast<bool>(value), "a Constant without a value");
  return value;
}

std::vector<TensorType> infer_constant(const Node& node, Inputs /*in*/) {
  const Tensor value = constant_value(node);
  return {{value.type(), value.shape()}};
}

std::vector<Tensor> run_constant(const Node& node, Tensors /*in*/) {
  return {constant_value(node)};
}

/// The one element that fills a ConstantOfShape: float 0 unless said otherwise.
Tensor fill_value(const Node& node) {
  const Tensor value = node.attributes.get_tensor("value");
  if (!value) return {DataType::kFloat32, {1}};
  require(value.size() == 1, "ConstantOfShape is filled with one value");
  return value;
}

std::vector<TensorType> infer_constant_of_shape(const Node& node, Inputs in) {
  Shape shape = known_ints(in, 0, "the shape").value_or(Shape{});
  (void)element_count(shape);
  return {{fill_value(node).type(), std::move(shape)}};
}

std::vector<Tensor> run_constant_of_shape(const Node& node, Tensors in) {
  const Tensor fill = fill_value(node);
  return {gather_elements(fill, in[0].to_int64(), [](const Ints&) { return 0; })};
}

// ---- Range: start, limit, delta

/// How many of start, start + delta, ... come before limit.
template <class T>
std::int64_t range_count(T start, T limit, T delta) {
  require(delta != 0, "a delta of 0");
  if constexpr (std::is_floating_point_v<T>) {
    const double count = std::ceil((double{limit} - start) / delta);
    return std::isnan(count) ? 0 : std::max<std::int64_t>(convert<std::int64_t>(count), 0);
  } else {  // Unsigned, so that no difference overflows.
    if (delta > 0 ? start >= limit : start <= limit) return 0;
    const auto wide = [](T x) { return static_cast<std::uint64_t>(x); };
    const std::uint64_t distance =
        delta > 0 ? wide(limit) - wide(start) : wide(start) - wide(limit);
    const std::uint64_t step = delta > 0 ? wide(delta) : -wide(delta);
    return convert<std::int64_t>(static_cast<double>((distance - 1) / step + 1));
  }
}

template <class T>
T scalar(const Tensor& tensor) {
  require(tensor.size() == 1, "start, limit and delta are single numbers");
  return tensor.values<T>()[0];
}

std::vector<Tensor> run_range(const Node& /*node*/, Tensors in) {
  return {with_number(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    const T start = scalar<T>(in[0]);
    const T delta = scalar<T>(in[2]);
    Tensor out(in[0].type(), {range_count(start, scalar<T>(in[1]), delta)});
    const auto to = out.mutable_values<T>();
    for (std::size_t i = 0; i < to.size(); ++i) {
      if constexpr (std::is_integral_v<T>) {  // The last step's product may not fit; the sum does.
        using Unsigned = std::make_unsigned_t<T>;
        to[i] = static_cast<T>(static_cast<Unsigned>(start) +
                               static_cast<Unsigned>(i) * static_cast<Unsigned>(delta));
      } else {
        to[i] = static_cast<T>(start + static_cast<T>(i) * delta);
      }
    }
    return out;
  })};
}

std::vector<TensorType> infer_range(const Node& /*node*/, Inputs in) {
  for (const Value* value : in) {
    require(value->constant.has_value(),
            "start, limit or delta is computed from the input's values (a dynamic shape)");
    require(value->type.type == in[0]->type.type, "start, limit and delta of different types");
  }
  return {{in[0]->type.type, {with_number(in[0]->type.type, [&](auto zero) {
             using T = decltype(zero);
             return range_count(scalar<T>(*in[0]->constant), scalar<T>(*in[1]->constant),
                                scalar<T>(*in[2]->constant));
           })}}};
}

constexpr std::array kTable{
    Operator{.name = "Reshape",
             .max_inputs = 2,
             .infer = infer_reshape,
             .execute = run_view<infer_reshape>},
    Operator{.name = "Flatten", .infer = infer_flatten, .execute = run_view<infer_flatten>},
    Operator{.name = "Squeeze",
             .max_inputs = 2,
             .infer = infer_squeeze,
             .execute = run_view<infer_squeeze>},
    Operator{.name = "Unsqueeze",
             .max_inputs = 2,
             .infer = infer_unsqueeze,
             .execute = run_view<infer_unsqueeze>},
    Operator{.name = "Shape", .infer = infer_shape, .execute = run_shape},
    Operator{.name = "Size", .infer = infer_size, .execute = run_size},
    Operator{.name = "Range",
             .min_inputs = 3,
             .max_inputs = 3,
             .infer = infer_range,
             .execute = run_range},
    Operator{.name = "Constant",
             .min_inputs = 0,
             .max_inputs = 0,
             .infer = infer_constant,
             .execute = run_constant},
    Operator{.name = "ConstantOfShape",
             .infer = infer_constant_of_shape,
             .execute = run_constant_of_shape},
};

}  // namespace

std::span<const Operator> shape_table() {
  return kTable;
}

}  // namespace hedge::operators
