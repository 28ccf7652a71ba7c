// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace hedge {

// Random numbers of a seed are the same with every standard library: no std distribution, no
// std::shuffle.

/// All bits of `z` stirred into all others: the last step of SplitMix64.
[[nodiscard]] constexpr std::uint64_t mix_bits(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

/// Uniform in [0, 1), of 64 random bits.
[[nodiscard]] constexpr double unit_of(std::uint64_t bits) noexcept {
  return static_cast<double>(bits >> 11U) * 0x1p-53;
}

/// SplitMix64 (G. Steele, D. Lea and C. Flood, Fast Splittable Pseudorandom Number Generators,
/// OOPSLA 2014): eight bytes of state.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept { return mix_bits(state_ += 0x9E3779B97F4A7C15U); }
  /// Uniform in [0, 1).
  double uniform() noexcept { return unit_of(next()); }
  /// Uniform in 0..bound-1, up to a bias of bound / 2^53.
  std::size_t below(std::size_t bound) noexcept {
    return static_cast<std::size_t>(uniform() * static_cast<double>(bound));
  }

 private:
  std::uint64_t state_;
};

/// Fisher and Yates: every order is equally likely where below(n) is uniform in 0..n-1.
template <class T, class Below>
void shuffle_by(std::span<T> values, Below&& below) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
}
template <class T>
void shuffle(std::span<T> values, SplitMix64& random) noexcept {
  shuffle_by(values, [&](std::size_t n) { return random.below(n); });
}

}  // namespace hedge
