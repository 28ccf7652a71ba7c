// SPDX-License-Identifier: Apache-2.0
#include "graph/quantization.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "graph/operators/operator.h"
#include "graph/reference_executor.h"

namespace hedge {
namespace {

Shape shape_of_parameters(const Quantization& q) {
  return q.scales.size() == 1 ? Shape{} : Shape{static_cast<std::int64_t>(q.scales.size())};
}

Tensor run(const char* op, const Tensor& x, const Quantization& q) {
  Node node;
  node.name = op;
  node.op = &get_operator(op);
  if (q.scales.size() > 1) node.attributes.set("axis", q.axis);
  node.outputs = {0};
  const std::vector<Tensor> inputs{x, scale_tensor(q), zero_point_tensor(q)};
  return execute_node(node, inputs, {}).at(0);
}

}  // namespace

Tensor scale_tensor(const Quantization& q) {
  return Tensor::from<float>(shape_of_parameters(q), q.scales);
}

Tensor zero_point_tensor(const Quantization& q) {
  Tensor tensor(q.type, shape_of_parameters(q));
  if (q.type == DataType::kInt8) {
    std::ranges::fill(tensor.mutable_values<std::int8_t>(), static_cast<std::int8_t>(q.zero_point));
  } else {
    std::ranges::fill(tensor.mutable_values<std::uint8_t>(),
                      static_cast<std::uint8_t>(q.zero_point));
  }
  return tensor;
}

bool is_valid(const Quantization& q, const Shape& shape) {
  if (q.type != DataType::kInt8 && q.type != DataType::kUInt8) return false;
  const bool along_axis =
      q.axis >= 0 && q.axis < static_cast<std::int64_t>(shape.size()) &&
      static_cast<std::int64_t>(q.scales.size()) == shape[static_cast<std::size_t>(q.axis)];
  const auto [lowest, highest] = stored_range(q.type);
  return (q.scales.size() == 1 || along_axis) && q.zero_point >= lowest &&
         q.zero_point <= highest && std::all_of(q.scales.begin(), q.scales.end(), [](float scale) {
           return std::isfinite(scale) && scale > 0;
         });
}

Tensor quantize_tensor(const Tensor& x, const Quantization& q) {
  return run("QuantizeLinear", x, q);
}

Tensor dequantize_tensor(const Tensor& stored, const Quantization& q) {
  return run("DequantizeLinear", stored, q);
}

}  // namespace hedge
