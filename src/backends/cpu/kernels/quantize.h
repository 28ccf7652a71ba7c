// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "backends/cpu/kernels/dispatch.h"

namespace hedge::cpu::kernels {

/// Between floats and 8 bits, each side with strides of its own (in elements):
/// real = scale * (stored - zero_point).
struct Conversion {
  std::vector<std::int64_t> extents, from, to;  ///< The innermost loop last.
  float scale = 1;
  std::int32_t zero_point = 0;
};
/// Joins axes that lie together and puts one inside along which a side lies dense.
[[nodiscard]] Conversion conversion(const std::vector<std::int64_t>& extents,
                                    const std::vector<std::int64_t>& from,
                                    const std::vector<std::int64_t>& to);

/// As ONNX's QuantizeLinear: halves to even, saturated. Buffers: floats, 8 bits.
[[nodiscard]] Run quantize_kernel(bool is_signed, Isa isa);
/// Buffers: 8 bits, floats.
[[nodiscard]] Run dequantize_kernel(bool is_signed, Isa isa);

/// quantized(bounded(dequantized(a) + dequantized(b))), of as many numbers each.
struct ByteAdd {
  std::int64_t count = 0;
  float scales[3] = {1, 1, 1};  ///< Of a, b and the result.
  std::int32_t zero_points[3] = {0, 0, 0};
  float low = 0, high = 0;  ///< Bounds of the real sum.
};
/// Buffers: a, b, result. `is_signed`: of each of them.
[[nodiscard]] Run byte_add_kernel(const bool (&is_signed)[3], Isa isa);

/// [batch][pixels][channels] of 8 bits to [batch][channels] of floats.
struct PlaneMean {
  std::int64_t batch = 1, pixels = 0, channels = 0;
  float factor = 1;              ///< Scale / pixels.
  std::int32_t zero_points = 0;  ///< Of all pixels together.
};
/// Buffers: 8 bits, floats.
[[nodiscard]] Run plane_mean_kernel(bool is_signed, Isa isa);

}  // namespace hedge::cpu::kernels
