// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>

namespace hedge {

/// Answer of arg_max when no score is a number.
inline constexpr int kNoClass = -1;

/// Index of the largest score; the lowest of them on a tie. NaN never wins; kNoClass when every
/// score is NaN or there is none. No allocation, for the hot loop.
///
/// Two sweeps over independent lanes, because compilers vectorise neither a maximum that must heed
/// NaN nor a search that remembers an index, but do vectorise this.
[[nodiscard]] inline int arg_max(std::span<const float> scores) noexcept {
  constexpr std::size_t kLanes = 16;
  const std::size_t size = scores.size();
  const std::size_t whole = size / kLanes * kLanes;
  const float* data = scores.data();

  float best = -std::numeric_limits<float>::infinity();
  if (whole > 0) {
    std::array<float, kLanes> lanes;
    lanes.fill(best);
    for (std::size_t i = 0; i < whole; i += kLanes) {
      // A comparison with NaN is false and keeps the lane.
      for (std::size_t j = 0; j < kLanes; ++j) {
        lanes[j] = data[i + j] > lanes[j] ? data[i + j] : lanes[j];
      }
    }
    best = *std::max_element(lanes.begin(), lanes.end());
  }
  for (std::size_t i = whole; i < size; ++i) best = data[i] > best ? data[i] : best;

  std::size_t begin = 0;
  for (; begin < whole; begin += kLanes) {
    int hits = 0;
    for (std::size_t j = 0; j < kLanes; ++j) hits += data[begin + j] == best ? 1 : 0;
    if (hits > 0) break;
  }
  for (std::size_t i = begin; i < size; ++i) {
    if (data[i] == best) return static_cast<int>(i);
  }
  return kNoClass;
}

}  // namespace hedge
