// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "stats/top_two.h"

namespace hedge {

// Loops over the scores of one image, in the widest instructions that the CPU has (AVX2 on x86-64).
// No allocation.

/// top_two(), the same to the last bit.
[[nodiscard]] TopTwo wide_top_two(std::span<const float> scores) noexcept;

/// The same; few scores are not worth the call.
[[nodiscard]] inline TopTwo fast_top_two(std::span<const float> scores) noexcept {
  return scores.size() < 64 ? top_two(scores) : wide_top_two(scores);
}

/// Of softmax, in one pass: with s = (score - largest) / temperature the sums of e^s and of s e^s,
/// in floats. NaN counts as no score.
struct SoftmaxSums {
  double sum = 0;
  double weighted = 0;  ///< Of s e^s, for the entropy; 0 where it was not asked for.
};
[[nodiscard]] SoftmaxSums softmax_sums(std::span<const float> scores, float largest,
                                       float temperature, bool weighted) noexcept;

/// e^x as the sums have it; x <= 0. Below -80 it is that of -80.
[[nodiscard]] float float_exp(float x) noexcept;

/// Bounds the relative error of the sums, and the absolute one of float_exp. Rounding of a lane's
/// additions (half an ulp each) and of s (by its size, which softmax weighs: at most ln(classes));
/// the rest is the polynomial's.
[[nodiscard]] constexpr double softmax_error(std::size_t classes) noexcept {
  return 4e-6 + 1e-8 * static_cast<double>(classes);
}

}  // namespace hedge
