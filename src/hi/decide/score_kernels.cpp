// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/score_kernels.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>

#if defined(__x86_64__)
#define HEDGE_HAS_AVX2 1
#define HEDGE_AVX2 __attribute__((target("avx2")))
#else
#define HEDGE_HAS_AVX2 0
#endif
// Inlined into a function of each instruction set, which compiles it anew.
#define HEDGE_KERNEL [[gnu::always_inline]] inline

namespace hedge {
namespace {

// The compilers' vectors: a loop that they vectorise themselves they also take apart again, where a
// clamped value makes a shorter way.
constexpr std::size_t kLanes = 8;
using Floats = float __attribute__((vector_size(sizeof(float) * kLanes)));
using Words = std::uint32_t __attribute__((vector_size(sizeof(float) * kLanes)));

/// e^x where that is as good as 0 beside the largest score's 1; NaN is taken for it, too.
constexpr float kLeast = -80;

/// From x to e^x, -80 <= x <= 0: 2^n e^r with |r| <= ln(2)/2, n by adding and subtracting
/// 1.5 * 2^23, whose last bits are n; e^r by its Taylor polynomial, which is off by 2e-7 there.
HEDGE_KERNEL void exponentiate(Floats& x) noexcept {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;  // Few digits: times n it is exact.
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.F;
  const Floats rounded = x * kLog2E + kRound;
  const Floats n = rounded - kRound;
  const Floats r = (x - n * kLn2High) - n * kLn2Low;
  Floats p = r * (1.F / 720) + 1.F / 120;
  p = p * r + 1.F / 24;
  p = p * r + 1.F / 6;
  p = p * r + 0.5F;
  p = p * r + 1.F;
  p = p * r + 1.F;
  Words bits;
  std::memcpy(&bits, &rounded, sizeof bits);
  bits = (bits + 127U) << 23U;
  Floats power;
  std::memcpy(&power, &bits, sizeof power);
  x = p * power;
}

/// From scores to s.
HEDGE_KERNEL void shift(Floats& scores, float largest, float inverse_temperature) noexcept {
  const Floats s = (scores - largest) * inverse_temperature;
  scores = s > kLeast ? s : Floats{} + kLeast;
}

template <bool kWeighted>
HEDGE_KERNEL SoftmaxSums sums_kernel(std::span<const float> scores, float largest,
                                     float inverse_temperature) noexcept {
  Floats sums{};
  Floats weighted{};
  std::array<float, kLanes> rest;
  rest.fill(-std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i < scores.size(); i += kLanes) {
    const float* from = scores.data() + i;
    if (scores.size() - i < kLanes) {
      for (std::size_t j = 0; j < scores.size() - i; ++j) rest[j] = from[j];
      from = rest.data();
    }
    Floats s;
    std::memcpy(&s, from, sizeof s);
    shift(s, largest, inverse_temperature);
    Floats e = s;
    exponentiate(e);
    sums += e;
    if constexpr (kWeighted) weighted += s * e;
  }
  SoftmaxSums total;
  for (std::size_t j = 0; j < kLanes; ++j) {
    total.sum += static_cast<double>(sums[j]);
    total.weighted += static_cast<double>(weighted[j]);
  }
  return total;
}

#if HEDGE_HAS_AVX2
HEDGE_AVX2 TopTwo top_two_avx2(std::span<const float> scores) noexcept {
  return top_two_in_lanes<32>(scores);
}
HEDGE_AVX2 SoftmaxSums sums_avx2(std::span<const float> scores, float largest, float inverse) {
  return sums_kernel<false>(scores, largest, inverse);
}
HEDGE_AVX2 SoftmaxSums weighted_sums_avx2(std::span<const float> scores, float largest,
                                          float inverse) {
  return sums_kernel<true>(scores, largest, inverse);
}
const bool kAvx2 = __builtin_cpu_supports("avx2") != 0;
#endif

}  // namespace

TopTwo wide_top_two(std::span<const float> scores) noexcept {
#if HEDGE_HAS_AVX2
  if (kAvx2) return top_two_avx2(scores);
#endif
  return top_two(scores);
}

SoftmaxSums softmax_sums(std::span<const float> scores, float largest, float temperature,
                         bool weighted) noexcept {
  const float inverse = 1 / temperature;
#if HEDGE_HAS_AVX2
  if (kAvx2) {
    return weighted ? weighted_sums_avx2(scores, largest, inverse)
                    : sums_avx2(scores, largest, inverse);
  }
#endif
  return weighted ? sums_kernel<true>(scores, largest, inverse)
                  : sums_kernel<false>(scores, largest, inverse);
}

float float_exp(float x) noexcept {
  Floats lanes = Floats{} + (x > kLeast ? x : kLeast);
  exponentiate(lanes);
  return lanes[0];
}

}  // namespace hedge
