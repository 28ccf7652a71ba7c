// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace hedge {

inline constexpr float kLargestHalf = 65504;
inline constexpr float kSmallestHalf = 0x1p-24F;  ///< Above zero.

/// IEEE 754 binary16, rounded to nearest even. Finite numbers that it cannot hold become its
/// largest.
[[nodiscard]] inline std::uint16_t half_from_float(float x) {
  const auto sign = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16U & 0x8000U);
  const auto with_sign = [sign](std::uint32_t bits) {
    return static_cast<std::uint16_t>(sign | bits);
  };
  if (std::isnan(x)) return with_sign(0x7E00);
  if (std::isinf(x)) return with_sign(0x7C00);
  const float magnitude = std::min(std::fabs(x), kLargestHalf);
  if (magnitude < 0x1p-14F) {  // Subnormal: a whole number of 2^-24, exact in float32.
    return with_sign(static_cast<std::uint32_t>(std::nearbyint(magnitude / kSmallestHalf)));
  }
  const auto bits = std::bit_cast<std::uint32_t>(magnitude);
  // Thirteen bits go; a carry into the exponent is what rounding up there means. 112 = 127 - 15.
  return with_sign((bits + 0xFFFU + (bits >> 13U & 1U) - (112U << 23U)) >> 13U);
}

/// The upper half of a float32, rounded to nearest even. Finite numbers stay finite.
[[nodiscard]] inline std::uint16_t bfloat16_from_float(float x) {
  auto bits = std::bit_cast<std::uint32_t>(x);
  if (std::isnan(x)) return static_cast<std::uint16_t>(bits >> 16U | 0x40U);
  const std::uint32_t rounded = bits + 0x7FFFU + (bits >> 16U & 1U);
  if (std::isfinite(x) && (rounded & 0x7F800000U) == 0x7F800000U) {
    return static_cast<std::uint16_t>(bits >> 16U);
  }
  return static_cast<std::uint16_t>(rounded >> 16U);
}

}  // namespace hedge
