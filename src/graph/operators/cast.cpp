// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

/// ONNX numbers of the element types that Hedge has.
DataType onnx_type(std::int64_t number) {
  switch (number) {
    case 1:
      return DataType::kFloat32;
    case 2:
      return DataType::kUInt8;
    case 3:
      return DataType::kInt8;
    case 6:
      return DataType::kInt32;
    case 7:
      return DataType::kInt64;
    case 9:
      return DataType::kBool;
    case 11:
      return DataType::kFloat64;
    default:
      throw bad_input(fmt::format("attribute to: ONNX element type {} is not supported", number));
  }
}

Tensor cast(const Tensor& in, DataType to) {
  return with_type(in.type(), [&](auto from_zero) {
    using From = decltype(from_zero);
    return with_type(to, [&](auto to_zero) {
      using To = decltype(to_zero);
      return map<To, From>(in, [](From value) { return convert<To, From>(value); });
    });
  });
}

std::vector<TensorType> infer_cast(const Node& node, Inputs in) {
  return {{onnx_type(node.attributes.get_int("to", 0)), in[0]->type.shape}};
}
std::vector<Tensor> run_cast(const Node& node, Tensors in) {
  return {cast(in[0], onnx_type(node.attributes.get_int("to", 0)))};
}

std::vector<TensorType> infer_cast_like(const Node& /*node*/, Inputs in) {
  return {{in[1]->type.type, in[0]->type.shape}};
}
std::vector<Tensor> run_cast_like(const Node& /*node*/, Tensors in) {
  return {cast(in[0], in[1].type())};
}

constexpr std::array kTable{
    Operator{.name = "Cast", .infer = infer_cast, .execute = run_cast, .pointwise = true},
    Operator{.name = "CastLike",
             .min_inputs = 2,
             .max_inputs = 2,
             .infer = infer_cast_like,
             .execute = run_cast_like},
};

}  // namespace

std::span<const Operator> cast_table() {
  return kTable;
}

}  // namespace hedge::operators
