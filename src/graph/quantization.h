// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "graph/graph.h"

namespace hedge {

/// The inputs 1 and 2 of QuantizeLinear and DequantizeLinear: scalars, or [channels].
[[nodiscard]] Tensor scale_tensor(const Quantization& q);
[[nodiscard]] Tensor zero_point_tensor(const Quantization& q);

/// The lowest and the highest number of an 8-bit type.
[[nodiscard]] constexpr std::pair<int, int> stored_range(DataType type) {
  return type == DataType::kInt8 ? std::pair(-128, 127) : std::pair(0, 255);
}

/// Of a tensor of that shape: 8 bits, positive finite scales, one or as many as the axis has
/// places.
[[nodiscard]] bool is_valid(const Quantization& q, const Shape& shape);

/// `x` as 8 bits, halves to even, saturated; integers of the type that `q` says.
[[nodiscard]] Tensor quantize_tensor(const Tensor& x, const Quantization& q);
/// And back.
[[nodiscard]] Tensor dequantize_tensor(const Tensor& stored, const Quantization& q);

}  // namespace hedge
