// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/clock.h"
#include "hedge/engine.h"
#include "measure/timer.h"

namespace hedge {

/// Duration of each call, every one kept. The timed region of a sample begins when the first read
/// of the clock returns and ends when the second one samples the time: the call itself and about
/// one read (TimerOverhead::sample_ns). Storing the sample lies outside.
template <NanosecondClock Clock = SteadyClock>
class LatencyRecorder {
 public:
  /// Room for `capacity` samples is allocated and touched here, so that recording them causes
  /// neither allocation nor page fault. Beyond it the store grows, outside the timed region.
  explicit LatencyRecorder(std::size_t capacity, Clock clock = {})
      : samples_ns_(capacity), clock_(clock) {
    samples_ns_.clear();
  }

  /// Times one call of `callable()`. An exception of it passes through, and no sample is kept.
  template <class Callable>
  void time(Callable&& callable) {
    compiler_barrier();
    const std::int64_t begin = clock_.now_ns();
    compiler_barrier();
    std::forward<Callable>(callable)();
    compiler_barrier();
    const std::int64_t end = clock_.now_ns();
    compiler_barrier();
    samples_ns_.push_back(end - begin);
  }

  /// In the order of recording. Valid until the next time() or clear().
  [[nodiscard]] std::span<const std::int64_t> samples_ns() const noexcept { return samples_ns_; }
  void clear() noexcept { samples_ns_.clear(); }

 private:
  std::vector<std::int64_t> samples_ns_;
  [[no_unique_address]] Clock clock_;
};

/// One timer around many inferences.
struct LoopTiming {
  std::int64_t iterations = 0;  ///< Done; fewer than asked for when cancelled.
  std::int64_t total_ns = 0;
  /// Amortised; 0 when nothing was done.
  [[nodiscard]] double ns_per_iteration() const noexcept {
    return iterations > 0 ? static_cast<double>(total_ns) / static_cast<double>(iterations) : 0.0;
  }
};

/// Calls `callable()` `iterations` times and takes the time once around the whole loop. The timed
/// region holds, for each iteration, the call, the loop counter and one relaxed load of the
/// cancellation flag; and, once, about one read of the clock. A cancellation ends it after the call
/// under way.
template <class Callable, NanosecondClock Clock = SteadyClock>
[[nodiscard]] LoopTiming measure_calls(Callable&& callable, std::int64_t iterations,
                                       Clock clock = {}) {
  LoopTiming timing;
  std::int64_t done = 0;
  compiler_barrier();
  const std::int64_t begin = clock.now_ns();
  compiler_barrier();
  while (done < iterations && !cancellation_requested()) {
    callable();
    ++done;
  }
  compiler_barrier();
  timing.total_ns = clock.now_ns() - begin;
  timing.iterations = done;
  return timing;
}

/// measure_calls of `context.infer()`, a virtual call, on the input as it stands.
template <NanosecondClock Clock = SteadyClock>
[[nodiscard]] LoopTiming measure_loop(ExecutionContext& context, std::int64_t iterations,
                                      Clock clock = {}) {
  return measure_calls([&] { context.infer(); }, iterations, clock);
}

inline constexpr std::int64_t kDefaultWarmUpRuns = 100;

/// Runs `context.infer()` untimed until caches, frequency and lazily made buffers have settled.
/// Returns the runs done: fewer only when cancelled.
std::int64_t warm_up(ExecutionContext& context, std::int64_t runs = kDefaultWarmUpRuns);

}  // namespace hedge
