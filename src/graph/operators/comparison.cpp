// SPDX-License-Identifier: Apache-2.0
// Comparisons, logic, and the choice by them, with numpy's broadcasting.
#include <array>
#include <functional>

#include "graph/operators/broadcasting.h"

namespace hedge::operators {
namespace {

template <TypeSet set>
std::vector<TensorType> infer_comparison(const Node& node, Inputs in) {
  return {{DataType::kBool, infer_broadcast<set>(node, in)[0].shape}};
}

template <class Function>
std::vector<Tensor> run_comparison(const Node& /*node*/, Tensors in) {
  return {with_type(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    return zip<bool, T, T>(in[0], in[1], [](T a, T b) { return Function{}(a, b); });
  })};
}

template <class Function, TypeSet set>
constexpr Operator comparison(std::string_view name) {
  return {.name = name,
          .min_inputs = 2,
          .max_inputs = 2,
          .infer = infer_comparison<set>,
          .execute = run_comparison<Function>};
}

std::vector<TensorType> infer_where(const Node& /*node*/, Inputs in) {
  require(in[0]->type.type == DataType::kBool, "the condition is not bool");
  require(in[1]->type.type == in[2]->type.type,
          fmt::format("a choice between {} and {}", to_string(in[1]->type.type),
                      to_string(in[2]->type.type)));
  return {{in[1]->type.type,
           broadcast(in[0]->type.shape, broadcast(in[1]->type.shape, in[2]->type.shape))}};
}

std::vector<Tensor> run_where(const Node& /*node*/, Tensors in) {
  const Shape shape = broadcast(in[0].shape(), broadcast(in[1].shape(), in[2].shape()));
  const auto condition = in[0].values<bool>();
  const Ints strides = broadcast_strides(in[0].shape(), shape);
  return {with_type(in[1].type(), [&](auto zero) {
    using T = decltype(zero);
    const Ints x_strides = broadcast_strides(in[1].shape(), shape);
    const Ints y_strides = broadcast_strides(in[2].shape(), shape);
    Tensor out(in[1].type(), shape);
    const auto to = out.mutable_values<T>();
    for_each_index(shape, [&](const Ints& index, std::size_t flat) {
      to[flat] = condition[dot(index, strides)] ? in[1].values<T>()[dot(index, x_strides)]
                                                : in[2].values<T>()[dot(index, y_strides)];
    });
    return out;
  })};
}

constexpr std::array kTable{
    comparison<std::equal_to<>, is_any>("Equal"),
    comparison<std::less<>, is_number>("Less"),
    comparison<std::less_equal<>, is_number>("LessOrEqual"),
    comparison<std::greater<>, is_number>("Greater"),
    comparison<std::greater_equal<>, is_number>("GreaterOrEqual"),
    comparison<std::logical_and<>, is_bool>("And"),
    comparison<std::logical_or<>, is_bool>("Or"),
    comparison<std::not_equal_to<>, is_bool>("Xor"),
    Operator{.name = "Where",
             .min_inputs = 3,
             .max_inputs = 3,
             .infer = infer_where,
             .execute = run_where},
};

}  // namespace

std::span<const Operator> comparison_table() {
  return kTable;
}

}  // namespace hedge::operators
