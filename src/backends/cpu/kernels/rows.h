// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "backends/cpu/kernels/dispatch.h"

namespace hedge::cpu::kernels {

/// (x - mean) / sqrt(variance + epsilon) * scale + bias over each of `rows` rows of `columns`
/// floats. Layer norm: `channels` is 0, and scale and bias have one number a column. Instance and
/// group norm: a row holds columns / `plane` channels of `plane` floats, and scale and bias have
/// one number for each of `channels` channels; row r begins at channel (r * columns / plane) %
/// channels.
struct Normalize {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t channels = 0;
  std::int64_t plane = 1;
  float epsilon = 0;
};
/// Buffers: x, scale, bias, result (which may be x).
[[nodiscard]] Run normalize_kernel(Isa isa);

enum class ReduceOp { kSum, kMean, kMax };

/// (outer, reduced, inner) to (outer, inner).
struct Reduce {
  std::int64_t outer = 0, reduced = 0, inner = 0;
};
/// Buffers: x, result.
[[nodiscard]] Run reduce_kernel(ReduceOp op, Isa isa);

}  // namespace hedge::cpu::kernels
