// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace hedge {

inline constexpr float kLargestFloat8 = 448;

/// E4M3 without infinities (ONNX's FLOAT8E4M3FN; Micikevicius et al., arXiv 2209.05433, table 1): 4
/// bits of exponent with bias 7, 3 of fraction. Rounded to nearest even; what it cannot hold
/// becomes its largest.
[[nodiscard]] inline std::uint8_t float8_from_float(float x) {
  const unsigned sign = std::signbit(x) ? 0x80U : 0;
  if (std::isnan(x)) return static_cast<std::uint8_t>(sign | 0x7FU);
  const float magnitude = std::min(std::fabs(x), kLargestFloat8);
  if (magnitude < 0x1p-6F) {  // Subnormal: a whole number of 2^-9.
    return static_cast<std::uint8_t>(sign | static_cast<unsigned>(std::nearbyint(magnitude * 512)));
  }
  const auto bits = std::bit_cast<std::uint32_t>(magnitude);
  // Twenty bits go; 120 = 127 - 7.
  return static_cast<std::uint8_t>(sign |
                                   ((bits + 0x7FFFFU + (bits >> 20U & 1U) - (120U << 23U)) >> 20U));
}

[[nodiscard]] inline float float_from_float8(std::uint8_t code) {
  const unsigned exponent = code >> 3U & 15U;
  const unsigned fraction = code & 7U;
  float magnitude = 0;
  if (exponent == 15 && fraction == 7) {
    magnitude = std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = static_cast<float>(fraction) / 512;
  } else {
    magnitude = std::ldexp(static_cast<float>(8 + fraction), static_cast<int>(exponent) - 10);
  }
  return (code & 0x80U) != 0 ? -magnitude : magnitude;
}

}  // namespace hedge
