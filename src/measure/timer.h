// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/clock.h"

namespace hedge {

/// A clock that measurements accept: monotonic nanoseconds. Cheap to copy; a clock with state (a
/// test's) is a handle to it.
template <class C>
concept NanosecondClock = std::copyable<C> && requires(C clock) {
  { clock.now_ns() } -> std::same_as<std::int64_t>;
};

/// Keeps the compiler from moving memory accesses across. No instruction.
inline void compiler_barrier() noexcept {
  asm volatile("" ::: "memory");
}

/// What taking time costs here.
struct TimerOverhead {
  /// Median of two reads with nothing between: what the timer adds to every sample.
  std::int64_t sample_ns = 0;
  /// Cost of the two reads to the program: what a timed iteration takes longer than an untimed one.
  double pair_ns = 0;
  /// Smallest step of the clock that was seen; 0 when it never moved.
  std::int64_t resolution_ns = 0;
};

/// Measures the clock itself: 1,001 empty samples, and the median over 51 runs of 100 pairs of
/// reads. Below 1 ms with a usual clock.
template <NanosecondClock Clock = SteadyClock>
[[nodiscard]] TimerOverhead timer_overhead(Clock clock = {}) {
  constexpr std::size_t kSamples = 1001;
  constexpr std::size_t kRuns = 51;
  constexpr int kPairs = 100;
  TimerOverhead overhead;

  constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
  std::int64_t smallest = kNone;
  std::int64_t previous = clock.now_ns();
  std::array<std::int64_t, kSamples> samples{};
  for (auto& sample : samples) {
    const std::int64_t begin = clock.now_ns();
    const std::int64_t end = clock.now_ns();
    sample = end - begin;
    // A coarse clock may step only between two samples.
    for (const std::int64_t step : {begin - previous, sample}) {
      if (step > 0) smallest = std::min(smallest, step);
    }
    previous = end;
  }
  std::sort(samples.begin(), samples.end());
  overhead.sample_ns = samples[kSamples / 2];
  overhead.resolution_ns = smallest == kNone ? 0 : smallest;

  std::array<std::int64_t, kRuns> runs{};
  for (auto& run : runs) {
    const std::int64_t begin = clock.now_ns();
    std::int64_t end = begin;
    for (int i = 0; i < 2 * kPairs; ++i) end = clock.now_ns();
    run = end - begin;
  }
  std::sort(runs.begin(), runs.end());
  overhead.pair_ns = static_cast<double>(runs[kRuns / 2]) / kPairs;
  return overhead;
}

}  // namespace hedge
