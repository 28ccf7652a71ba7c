// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include "graph/operators/common.h"

namespace hedge::operators {

/// f of each pair of elements, numpy's broadcasting; the result has elements of type Out.
template <class Out, class A, class B, class Function>
[[nodiscard]] Tensor zip(const Tensor& a, const Tensor& b, Function f) {
  const Shape shape = broadcast(a.shape(), b.shape());
  const Ints a_strides = broadcast_strides(a.shape(), shape);
  const Ints b_strides = broadcast_strides(b.shape(), shape);
  const auto x = a.values<A>();
  const auto y = b.values<B>();
  Tensor out(kDataTypeOf<Out>, shape);
  const auto to = out.mutable_values<Out>();
  for_each_index(shape, [&](const Ints& index, std::size_t flat) {
    to[flat] = f(x[dot(index, a_strides)], y[dot(index, b_strides)]);
  });
  return out;
}

/// All inputs have one element type, of the set; the result's shape is theirs broadcast.
template <TypeSet set>
[[nodiscard]] std::vector<TensorType> infer_broadcast(const Node& /*node*/, Inputs in) {
  TensorType out = in[0]->type;
  require_type(out.type, set);
  for (std::size_t i = 1; i < in.size(); ++i) {
    require(has(in, i), fmt::format("input {} is missing", i));
    require(in[i]->type.type == out.type,
            fmt::format("operands of {} and {}", to_string(out.type), to_string(in[i]->type.type)));
    out.shape = broadcast(out.shape, in[i]->type.shape);
  }
  return {out};
}

}  // namespace hedge::operators
