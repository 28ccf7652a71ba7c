// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "backends/cpu/kernels/dispatch.h"

namespace hedge::cpu::kernels {

enum class BinaryOp { kAdd, kSub, kMul, kDiv, kMin, kMax, kPRelu };

/// result = a op b over `extents`, outermost first. The result is written in order, without gaps;
/// the operands have strides in floats, 0 along axes that they are broadcast over. kPRelu: a where
/// it is not negative, else a * b. kMin, kMax: NaN where either side is.
struct Binary {
  std::vector<std::int64_t> extents, a_strides, b_strides;
};

/// Joins axes that both operands go through as one, and leaves at least two.
void collapse(Binary& binary);

/// Buffers: a, b, result (which may be a).
[[nodiscard]] Run binary_kernel(BinaryOp op, Isa isa);

}  // namespace hedge::cpu::kernels
