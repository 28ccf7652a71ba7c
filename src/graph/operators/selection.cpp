// SPDX-License-Identifier: Apache-2.0
// Operators that rank the elements along one axis.
#include <fmt/format.h>

#include <array>
#include <numeric>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

/// An order even with NaNs in it, which count as the largest (numpy).
template <class T>
bool less(T a, T b) {
  if (b != b) return a == a;
  return a < b;
}

/// Calls f(position of the lane's first element, position in the result's first place) for each
/// lane along the axis; the result has `extent` elements there.
template <class Function>
void for_each_lane(const Shape& shape, std::size_t axis, std::int64_t extent, Function f) {
  Shape lanes = shape;
  lanes[axis] = 1;
  Shape out = shape;
  out[axis] = extent;
  const Ints strides = strides_of(shape);
  const Ints out_strides = strides_of(out);
  for_each_index(lanes, [&](const Ints& index, std::size_t) {
    f(dot(index, strides), dot(index, out_strides));
  });
}

// ---- ArgMax, ArgMin

std::vector<TensorType> infer_arg(const Node& node, Inputs in) {
  require_type(in[0]->type.type, is_number);
  Shape shape = in[0]->type.shape;
  const std::size_t axis = normal_axis(node.attributes.get_int("axis", 0), shape.size());
  require(shape[axis] > 0, "no element to choose");
  if (node.attributes.get_int("keepdims", 1) != 0) {
    shape[axis] = 1;
  } else {
    shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
  }
  return {{DataType::kInt64, shape}};
}

template <bool largest>
std::vector<Tensor> run_arg(const Node& node, Tensors in) {
  const Shape& shape = in[0].shape();
  const std::size_t axis = normal_axis(node.attributes.get_int("axis", 0), shape.size());
  const bool last = node.attributes.get_int("select_last_index", 0) != 0;
  const auto stride = static_cast<std::size_t>(strides_of(shape)[axis]);
  Shape kept = shape;
  kept[axis] = 1;
  Tensor out(DataType::kInt64, kept);
  const auto to = out.mutable_values<std::int64_t>();
  with_number(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    const auto x = in[0].values<T>();
    for_each_lane(shape, axis, 1, [&](std::size_t first, std::size_t result) {
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < shape[axis]; ++i) {
        const T champion = x[first + static_cast<std::size_t>(best) * stride];
        const T challenger = x[first + static_cast<std::size_t>(i) * stride];
        const bool better = largest ? less(champion, challenger) : less(challenger, champion);
        const bool worse = largest ? less(challenger, champion) : less(champion, challenger);
        if (better || (last && !worse)) best = i;
      }
      to[result] = best;
    });
  });
  Shape reduced = shape;
  reduced.erase(reduced.begin() + static_cast<std::ptrdiff_t>(axis));
  return {node.attributes.get_int("keepdims", 1) != 0 ? out : out.reshaped(reduced)};
}

// ---- TopK

struct TopK {
  std::size_t axis = 0;
  std::int64_t k = 0;
  Shape out;
};

template <class In>
TopK top_k(const Node& node, In in, const Shape& shape) {
  const Ints k = known_ints(in, 1, "K").value_or(Ints{});
  TopK top{normal_axis(node.attributes.get_int("axis", -1), shape.size()), 0, shape};
  require(k.size() == 1 && k[0] >= 0 && k[0] <= shape[top.axis],
          fmt::format("the {} best of {} elements", fmt::join(k, ","), shape[top.axis]));
  top.k = k[0];
  top.out[top.axis] = top.k;
  return top;
}

std::vector<TensorType> infer_top_k(const Node& node, Inputs in) {
  require_type(in[0]->type.type, is_number);
  const Shape out = top_k(node, in, in[0]->type.shape).out;
  return {{in[0]->type.type, out}, {DataType::kInt64, out}};
}

/// Always sorted, which `sorted` = 0 allows too; of equal elements the first comes first.
std::vector<Tensor> run_top_k(const Node& node, Tensors in) {
  const Shape& shape = in[0].shape();
  const TopK top = top_k(node, in, shape);
  const bool largest = node.attributes.get_int("largest", 1) != 0;
  const auto stride = static_cast<std::size_t>(strides_of(shape)[top.axis]);
  const auto out_stride = static_cast<std::size_t>(strides_of(top.out)[top.axis]);
  Tensor values(in[0].type(), top.out);
  Tensor indices(DataType::kInt64, top.out);
  with_number(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    const auto x = in[0].values<T>();
    std::vector<std::size_t> order(static_cast<std::size_t>(shape[top.axis]));
    for_each_lane(shape, top.axis, top.k, [&](std::size_t first, std::size_t result) {
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const T left = x[first + a * stride];
        const T right = x[first + b * stride];
        return largest ? less(right, left) : less(left, right);
      });
      for (std::size_t i = 0; i < static_cast<std::size_t>(top.k); ++i) {
        values.mutable_values<T>()[result + i * out_stride] = x[first + order[i] * stride];
        indices.mutable_values<std::int64_t>()[result + i * out_stride] =
            static_cast<std::int64_t>(order[i]);
      }
    });
  });
  return {values, indices};
}

constexpr std::array kTable{
    Operator{.name = "ArgMax", .infer = infer_arg, .execute = run_arg<true>},
    Operator{.name = "ArgMin", .infer = infer_arg, .execute = run_arg<false>},
    Operator{.name = "TopK",
             .min_inputs = 2,
             .max_inputs = 2,
             .infer = infer_top_k,
             .execute = run_top_k},
};

}  // namespace

std::span<const Operator> selection_table() {
  return kTable;
}

}  // namespace hedge::operators
