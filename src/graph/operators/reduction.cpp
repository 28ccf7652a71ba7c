// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cmath>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

struct Reduction {
  std::vector<std::size_t> axes;
  Shape kept;  ///< With 1 along reduced axes.
  Shape out;
};

/// Axes are an attribute up to opset 17 (ReduceSum: 12), an input from then on. None means all, or
/// none at all where noop_with_empty_axes says so: then the function is that of each element alone.
template <class In>
Reduction reduction(const Node& node, In in, const Shape& shape) {
  Ints axes = ints_of(node, in, 1, "axes").value_or(Ints{});
  if (axes.empty() && node.attributes.get_int("noop_with_empty_axes", 0) == 0) {
    for (std::size_t i = 0; i < shape.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  Reduction r{normal_axes(axes, shape.size()), shape, {}};
  for (const std::size_t axis : r.axes) r.kept[axis] = 1;
  const bool keep = node.attributes.get_int("keepdims", 1) != 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (keep || !std::binary_search(r.axes.begin(), r.axes.end(), i)) r.out.push_back(r.kept[i]);
  }
  return r;
}

template <TypeSet set>
std::vector<TensorType> infer_reduction(const Node& node, Inputs in) {
  require_type(in[0]->type.type, set);
  return {{in[0]->type.type, reduction(node, in, in[0]->type.shape).out}};
}

/// What is summed up in: wide enough that only int64 can overflow, and that wraps.
template <class T>
using Accumulator = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;

// ---- Each: what an empty set gives, one step, and what becomes of the end after n elements.

struct Sum {
  template <class T>
  static Accumulator<T> start() {
    return 0;
  }
  template <class T>
  static Accumulator<T> step(Accumulator<T> sum, T x) {
    return sum + static_cast<Accumulator<T>>(x);
  }
  template <class T>
  static T finish(Accumulator<T> sum, std::int64_t /*n*/) {
    return static_cast<T>(sum);
  }
};
struct Mean : Sum {
  template <class T>
  static T finish(Accumulator<T> sum, std::int64_t n) {
    if constexpr (std::is_floating_point_v<T>) return static_cast<T>(sum / static_cast<double>(n));
    return n == 0 ? T{0} : static_cast<T>(static_cast<std::int64_t>(sum) / n);
  }
};
struct Product : Sum {
  template <class T>
  static Accumulator<T> start() {
    return 1;
  }
  template <class T>
  static Accumulator<T> step(Accumulator<T> product, T x) {
    return product * static_cast<Accumulator<T>>(x);
  }
};
struct SumOfSquares : Sum {
  template <class T>
  static Accumulator<T> step(Accumulator<T> sum, T x) {
    return sum + static_cast<Accumulator<T>>(x) * static_cast<Accumulator<T>>(x);
  }
};
struct SumOfMagnitudes : Sum {
  template <class T>
  static Accumulator<T> step(Accumulator<T> sum, T x) {
    return x < 0 ? sum - static_cast<Accumulator<T>>(x) : sum + static_cast<Accumulator<T>>(x);
  }
};
struct EuclideanNorm : SumOfSquares {
  template <class T>
  static T finish(Accumulator<T> sum, std::int64_t /*n*/) {
    return convert<T>(std::sqrt(static_cast<double>(sum)));
  }
};

// A NaN stays, as numpy has it.
struct Largest {
  template <class T>
  static T start() {
    if constexpr (std::is_floating_point_v<T>) return -std::numeric_limits<T>::infinity();
    return std::numeric_limits<T>::lowest();
  }
  template <class T>
  static T step(T largest, T x) {
    return x > largest || x != x ? x : largest;
  }
  template <class T>
  static T finish(T largest, std::int64_t /*n*/) {
    return largest;
  }
};
struct Smallest : Largest {
  template <class T>
  static T start() {
    if constexpr (std::is_floating_point_v<T>) return std::numeric_limits<T>::infinity();
    return std::numeric_limits<T>::max();
  }
  template <class T>
  static T step(T smallest, T x) {
    return x < smallest || x != x ? x : smallest;
  }
};

template <class T, class Fold>
Tensor reduce(const Tensor& in, const Reduction& r) {
  const Ints strides = broadcast_strides(r.kept, in.shape());
  const auto x = in.values<T>();
  std::vector<decltype(Fold::template start<T>())> folded(
      static_cast<std::size_t>(element_count(r.kept)), Fold::template start<T>());
  for_each_index(in.shape(), [&](const Ints& index, std::size_t flat) {
    auto&& value = folded[dot(index, strides)];
    value = Fold::template step<T>(value, x[flat]);
  });
  const std::int64_t n = folded.empty() ? 0 : in.size() / static_cast<std::int64_t>(folded.size());
  Tensor out(in.type(), r.kept);
  std::transform(folded.begin(), folded.end(), out.mutable_values<T>().begin(),
                 [&](auto value) { return Fold::template finish<T>(value, n); });
  return out.reshaped(r.out);
}

template <class Fold>
std::vector<Tensor> run_reduction(const Node& node, Tensors in) {
  const Reduction r = reduction(node, in, in[0].shape());
  return {
      with_number(in[0].type(), [&](auto zero) { return reduce<decltype(zero), Fold>(in[0], r); })};
}

/// Of bool, the largest is whether any is true, the smallest whether all are.
template <class Fold>
std::vector<Tensor> run_extremum(const Node& node, Tensors in) {
  if (in[0].type() != DataType::kBool) return run_reduction<Fold>(node, in);
  return {reduce<bool, Fold>(in[0], reduction(node, in, in[0].shape()))};
}

template <class Fold>
constexpr Operator reduction_of_numbers(std::string_view name) {
  return {.name = name,
          .max_inputs = 2,
          .infer = infer_reduction<is_number>,
          .execute = run_reduction<Fold>};
}
template <class Fold>
constexpr Operator extremum(std::string_view name) {
  return {.name = name,
          .max_inputs = 2,
          .infer = infer_reduction<is_any>,
          .execute = run_extremum<Fold>};
}

constexpr std::array kTable{
    reduction_of_numbers<Sum>("ReduceSum"),
    reduction_of_numbers<Mean>("ReduceMean"),
    reduction_of_numbers<Product>("ReduceProd"),
    reduction_of_numbers<SumOfMagnitudes>("ReduceL1"),
    reduction_of_numbers<EuclideanNorm>("ReduceL2"),
    reduction_of_numbers<SumOfSquares>("ReduceSumSquare"),
    extremum<Largest>("ReduceMax"),
    extremum<Smallest>("ReduceMin"),
};

}  // namespace

std::span<const Operator> reduction_table() {
  return kTable;
}

}  // namespace hedge::operators
