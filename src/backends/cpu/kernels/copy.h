// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "backends/cpu/kernels/dispatch.h"

namespace hedge::cpu::kernels {

/// Moves floats about: each stretch of the result, in order, comes from a place in the source, or
/// is all `fill`.
struct MappedCopy {
  struct Stretch {
    std::int64_t from = 0;  ///< In floats; negative: fill.
    std::int64_t length = 0;
  };
  std::vector<Stretch> stretches;
  /// Instead of stretches, where these would be short: the source of each element (negative: fill).
  std::vector<std::int32_t> elements;
  float fill = 0;
};

/// From the source of each element.
[[nodiscard]] MappedCopy mapped_copy(const std::vector<std::int32_t>& sources, float fill);
/// Buffers: source, result.
void run_mapped_copy(const void* parameters, std::byte* const* buffers);

}  // namespace hedge::cpu::kernels
