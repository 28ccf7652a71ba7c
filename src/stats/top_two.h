// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <span>

namespace hedge {

/// The two largest scores; equal where the largest occurs twice. -infinity stands for a score that
/// is not there. NaN counts as no score.
struct TopTwo {
  float first = -std::numeric_limits<float>::infinity();
  float second = -std::numeric_limits<float>::infinity();

  void add(float score) noexcept {
    // Comparisons with NaN are false.
    const float loser = score > first ? first : score;
    first = score > first ? score : first;
    second = loser > second ? loser : second;
  }
};

/// Independent lanes that compilers vectorise, then their winners, half against half. Always
/// inlined, so that a function of another instruction set compiles it anew.
template <std::size_t kLanes>
[[nodiscard, gnu::always_inline]] inline TopTwo top_two_in_lanes(
    std::span<const float> scores) noexcept {
  static_assert((kLanes & (kLanes - 1)) == 0);
  const std::size_t whole = scores.size() / kLanes * kLanes;
  TopTwo top;
  if (whole > 0) {
    std::array<float, kLanes> first;
    std::array<float, kLanes> second;
    first.fill(top.first);
    second.fill(top.second);
    for (std::size_t i = 0; i < whole; i += kLanes) {
      for (std::size_t j = 0; j < kLanes; ++j) {
        const float score = scores[i + j];
        const float loser = score > first[j] ? first[j] : score;
        first[j] = score > first[j] ? score : first[j];
        second[j] = loser > second[j] ? loser : second[j];
      }
    }
    for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
      for (std::size_t j = 0; j < half; ++j) {
        const float other = first[j + half];
        const float loser = other > first[j] ? first[j] : other;
        first[j] = other > first[j] ? other : first[j];
        second[j] = second[j + half] > second[j] ? second[j + half] : second[j];
        second[j] = loser > second[j] ? loser : second[j];
      }
    }
    top = {first[0], second[0]};
  }
  for (std::size_t i = whole; i < scores.size(); ++i) top.add(scores[i]);
  return top;
}

/// No allocation, for the hot loop.
[[nodiscard]] inline TopTwo top_two(std::span<const float> scores) noexcept {
  return top_two_in_lanes<16>(scores);
}

}  // namespace hedge
