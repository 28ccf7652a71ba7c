// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

bool is_single(const Shape& shape) {
  return shape.size() <= 1 && element_count(shape) == 1;
}

/// Where the scale (and zero point) of an element is: one for all, or one for each place along an
/// axis.
struct Granularity {
  std::size_t axis = 0;
  bool per_axis = false;
  [[nodiscard]] std::size_t of(const Ints& index) const {
    return per_axis ? static_cast<std::size_t>(index[axis]) : 0;
  }
};

Granularity granularity(const Node& node, const Shape& x, const Shape& scale) {
  const std::int64_t block = node.attributes.get_int("block_size", 0);
  require(block == 0, fmt::format("attribute block_size: {}; Hedge reads scales per tensor or per "
                                  "axis, not per block",
                                  block));
  if (is_single(scale)) return {};
  const Granularity g{normal_axis(node.attributes.get_int("axis", 1), x.size()), true};
  require(scale == Shape{x[g.axis]}, fmt::format("scale {} does not fit axis {} of {}",
                                                 to_string(scale), g.axis, to_string(x)));
  return g;
}

void require_zero_point(Inputs in) {
  if (!has(in, 2)) return;
  const Shape& scale = in[1]->type.shape;
  const Shape& zero_point = in[2]->type.shape;
  // ONNX Runtime's quantiser gives a bias a scale of shape {1} and a zero point of shape {}.
  require(zero_point == scale || (is_single(zero_point) && is_single(scale)),
          "the zero point has another shape than the scale");
}

/// From the zero point, or (opset 21) output_dtype, or uint8.
DataType quantized_type(const Node& node, std::optional<DataType> zero_point) {
  const std::int64_t asked = node.attributes.get_int("output_dtype", 0);  // As in TensorProto.
  require(
      asked == 0 || asked == 2 || asked == 3,
      fmt::format("attribute output_dtype: {}; Hedge quantizes to uint8 (2) and int8 (3)", asked));
  const DataType type = zero_point.value_or(asked == 3 ? DataType::kInt8 : DataType::kUInt8);
  require(type == DataType::kUInt8 || type == DataType::kInt8,
          fmt::format("a zero point of {}; Hedge quantizes to uint8 and int8", to_string(type)));
  return type;
}

std::vector<TensorType> infer_quantize(const Node& node, Inputs in) {
  require(in[0]->type.type == DataType::kFloat32 && in[1]->type.type == DataType::kFloat32,
          "only float32");
  (void)granularity(node, in[0]->type.shape, in[1]->type.shape);
  require_zero_point(in);
  return {{quantized_type(node, has(in, 2) ? std::optional(in[2]->type.type) : std::nullopt),
           in[0]->type.shape}};
}

template <class T>
std::vector<Tensor> quantize(Tensors in, const Granularity& g) {
  const auto x = in[0].values<float>();
  const auto scale = in[1].values<float>();
  Tensor out(kDataTypeOf<T>, in[0].shape());
  const auto y = out.mutable_values<T>();
  for_each_index(in[0].shape(), [&](const Ints& index, std::size_t flat) {
    const std::size_t i = g.of(index);
    const float zero_point = has(in, 2) ? in[2].values<T>()[i] : T{0};
    // In float32, halves to the even number, as ONNX and every runtime have it.
    y[flat] = convert<T>(std::nearbyint(x[flat] / scale[i]) + zero_point);
  });
  return {out};
}

std::vector<Tensor> run_quantize(const Node& node, Tensors in) {
  const Granularity g = granularity(node, in[0].shape(), in[1].shape());
  const DataType type =
      quantized_type(node, has(in, 2) ? std::optional(in[2].type()) : std::nullopt);
  return type == DataType::kInt8 ? quantize<std::int8_t>(in, g) : quantize<std::uint8_t>(in, g);
}

std::vector<TensorType> infer_dequantize(const Node& node, Inputs in) {
  const DataType type = in[0]->type.type;
  require(type == DataType::kInt8 || type == DataType::kUInt8 || type == DataType::kInt32,
          fmt::format("elements of {} are not supported", to_string(type)));
  require(in[1]->type.type == DataType::kFloat32, "a scale that is not float32");
  require(!has(in, 2) || in[2]->type.type == type, "a zero point of another type than the input");
  (void)granularity(node, in[0]->type.shape, in[1]->type.shape);
  require_zero_point(in);
  return {{DataType::kFloat32, in[0]->type.shape}};
}

std::vector<Tensor> run_dequantize(const Node& node, Tensors in) {
  const Granularity g = granularity(node, in[0].shape(), in[1].shape());
  const auto scale = in[1].values<float>();
  Tensor out(DataType::kFloat32, in[0].shape());
  const auto y = out.mutable_values<float>();
  with_number(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    const auto x = in[0].values<T>();
    for_each_index(in[0].shape(), [&](const Ints& index, std::size_t flat) {
      const std::size_t i = g.of(index);
      const double zero_point = has(in, 2) ? static_cast<double>(in[2].values<T>()[i]) : 0;
      y[flat] = static_cast<float>(static_cast<double>(x[flat]) - zero_point) * scale[i];
    });
  });
  return {out};
}

constexpr std::array kTable{
    Operator{.name = "QuantizeLinear",
             .min_inputs = 2,
             .max_inputs = 3,
             .infer = infer_quantize,
             .execute = run_quantize},
    Operator{.name = "DequantizeLinear",
             .min_inputs = 2,
             .max_inputs = 3,
             .infer = infer_dequantize,
             .execute = run_dequantize},
};

}  // namespace

std::span<const Operator> quantization_table() {
  return kTable;
}

}  // namespace hedge::operators
