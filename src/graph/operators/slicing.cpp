// SPDX-License-Identifier: Apache-2.0
// Operators that take parts of a tensor, or surround it.
#include <fmt/format.h>

#include <array>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

// ---- Slice

struct Slices {
  Ints start, step;
  Shape out;
};

template <class In>
Slices slices(const Node& node, In in, const Shape& shape) {
  const auto starts = ints_of(node, in, 1, "starts");
  const auto ends = ints_of(node, in, 2, "ends");
  require(starts && ends && starts->size() == ends->size(), "starts and ends do not fit");
  auto axes = ints_of(node, in, 3, "axes");
  if (!axes) {
    axes.emplace();
    for (std::size_t i = 0; i < starts->size(); ++i) axes->push_back(static_cast<std::int64_t>(i));
  }
  const Ints steps = ints_of(node, in, 4, "steps").value_or(Ints(starts->size(), 1));
  require(axes->size() == starts->size() && steps.size() == starts->size(),
          "axes or steps do not fit");
  (void)normal_axes(*axes, shape.size());
  Slices s{Ints(shape.size(), 0), Ints(shape.size(), 1), shape};
  for (std::size_t i = 0; i < axes->size(); ++i) {
    const std::size_t axis = normal_axis((*axes)[i], shape.size());
    const std::int64_t n = shape[axis];
    // Steps beyond the extent all select one element; kept small so that nothing overflows.
    const std::int64_t step = std::clamp<std::int64_t>(steps[i], -n - 1, n + 1);
    require(steps[i] != 0, "a step of 0");
    const auto clamp = [&](std::int64_t at, std::int64_t low, std::int64_t high) {
      if (at < 0) at = at < -n ? low : at + n;
      return std::clamp(at, low, high);
    };
    const bool forward = step > 0;
    const std::int64_t begin = forward ? clamp((*starts)[i], 0, n) : clamp((*starts)[i], -1, n - 1);
    const std::int64_t end = forward ? clamp((*ends)[i], 0, n) : clamp((*ends)[i], -1, n - 1);
    const std::int64_t distance = forward ? end - begin : begin - end;
    const std::int64_t stride = forward ? step : -step;
    s.out[axis] = distance <= 0 ? 0 : (distance + stride - 1) / stride;
    s.start[axis] = begin;
    s.step[axis] = step;
  }
  return s;
}

std::vector<TensorType> infer_slice(const Node& node, Inputs in) {
  return {{in[0]->type.type, slices(node, in, in[0]->type.shape).out}};
}

std::vector<Tensor> run_slice(const Node& node, Tensors in) {
  const Slices s = slices(node, in, in[0].shape());
  const Ints strides = strides_of(in[0].shape());
  return {gather_elements(in[0], s.out, [&](const Ints& index) {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < index.size(); ++i)
      at += (s.start[i] + index[i] * s.step[i]) * strides[i];
    return at;
  })};
}

// ---- Pad

struct Padding {
  Ints begin;  ///< Negative: cut off.
  Shape out;
};

template <class In>
Padding padding(const Node& node, In in, const Shape& shape) {
  const std::string mode = node.attributes.get_string("mode", "constant");
  require(mode == "constant" || mode == "reflect" || mode == "edge" || mode == "wrap",
          fmt::format("attribute mode: '{}'", mode));
  const auto pads = ints_of(node, in, 1, "pads");
  require(pads.has_value(), "pads are missing");
  Ints axes = ints_of(node, in, 3, "axes").value_or(Ints{});
  if (!has(in, 3)) {
    axes.clear();
    for (std::size_t i = 0; i < shape.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  require(pads->size() == 2 * axes.size(), "pads do not fit the axes");
  (void)normal_axes(axes, shape.size());
  Padding p{Ints(shape.size(), 0), shape};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::size_t axis = normal_axis(axes[i], shape.size());
    const std::int64_t before = (*pads)[i];
    const std::int64_t after = (*pads)[i + axes.size()];
    constexpr std::int64_t kMost = std::int64_t{1} << 30;
    require(std::max(before, after) <= kMost && std::min(before, after) >= -kMost,
            "pads are too large");
    const std::int64_t limit = mode == "reflect"                        ? shape[axis] - 1
                               : mode != "constant" && shape[axis] == 0 ? 0
                                                                        : kMost;
    require(before <= limit && after <= limit,
            fmt::format("mode {} cannot pad {} elements by {} and {}", mode, shape[axis], before,
                        after));
    p.begin[axis] = before;
    p.out[axis] += before + after;
    require(p.out[axis] >= 0, "pads cut off more than there is");
  }
  (void)element_count(p.out);
  return p;
}

std::vector<TensorType> infer_pad(const Node& node, Inputs in) {
  return {{in[0]->type.type, padding(node, in, in[0]->type.shape).out}};
}

std::vector<Tensor> run_pad(const Node& node, Tensors in) {
  const Shape& shape = in[0].shape();
  const Padding p = padding(node, in, shape);
  const std::string mode = node.attributes.get_string("mode", "constant");
  double fill = node.attributes.get_float("value", 0);
  if (has(in, 2)) {
    require(in[2].size() == 1 && in[2].type() == in[0].type(),
            "the fill is not one value of the input's type");
    fill = with_type(in[2].type(), [&](auto zero) {
      return static_cast<double>(in[2].values<decltype(zero)>()[0]);
    });
  }
  const Ints strides = strides_of(shape);
  return {gather_elements(
      in[0], p.out,
      [&](const Ints& index) -> std::int64_t {
        std::int64_t source = 0;
        for (std::size_t i = 0; i < index.size(); ++i) {
          std::int64_t at = index[i] - p.begin[i];
          if (at < 0 || at >= shape[i]) {
            if (mode == "constant") return -1;
            if (mode == "reflect") at = at < 0 ? -at : 2 * (shape[i] - 1) - at;
            if (mode == "wrap") at = (at % shape[i] + shape[i]) % shape[i];
            at = std::clamp<std::int64_t>(at, 0, shape[i] - 1);
          }
          source += at * strides[i];
        }
        return source;
      },
      fill)};
}

constexpr std::array kTable{
    Operator{.name = "Slice", .max_inputs = 5, .infer = infer_slice, .execute = run_slice},
    Operator{.name = "Pad", .max_inputs = 4, .infer = infer_pad, .execute = run_pad},
};

}  // namespace

std::span<const Operator> slicing_table() {
  return kTable;
}

}  // namespace hedge::operators
