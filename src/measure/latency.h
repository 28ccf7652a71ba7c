// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/clock.h"
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

  /// Times one call of `callable()` and returns the time of its end by the clock. An exception of
  /// it passes through, and no sample is kept.
  template <class Callable>
  std::int64_t time(Callable&& callable) {
    compiler_barrier();
    const std::int64_t begin = clock_.now_ns();
    compiler_barrier();
    std::forward<Callable>(callable)();
    compiler_barrier();
    const std::int64_t end = clock_.now_ns();
    compiler_barrier();
    samples_ns_.push_back(end - begin);
    return end;
  }

  /// In the order of recording. Valid until the next time() or clear().
  [[nodiscard]] std::span<const std::int64_t> samples_ns() const noexcept { return samples_ns_; }
  void clear() noexcept { samples_ns_.clear(); }
  /// The samples themselves; none are left, and no room.
  [[nodiscard]] std::vector<std::int64_t> take() noexcept { return std::exchange(samples_ns_, {}); }

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

/// How much is to be measured: both are met, whatever takes longer.
struct RunBound {
  std::int64_t iterations = 1;
  std::int64_t duration_ns = 0;
};

/// What loops tell between two samples or two stretches, for a progress bar.
struct NoProgress {
  void operator()(std::int64_t /*iterations*/, std::int64_t /*elapsed_ns*/) const noexcept {}
};

/// Times calls one by one into `recorder` until the bound is met or a cancellation came. Returns
/// how long it took, what lies between the samples included.
template <class Callable, NanosecondClock Clock, class Progress = NoProgress>
std::int64_t record_calls(Callable&& callable, const RunBound& bound,
                          LatencyRecorder<Clock>& recorder, Clock clock = {},
                          Progress&& progress = {}) {
  const std::int64_t begin = clock.now_ns();
  std::int64_t elapsed_ns = 0;
  for (std::int64_t done = 0; done < bound.iterations || elapsed_ns < bound.duration_ns; ++done) {
    if (cancellation_requested()) break;
    elapsed_ns = recorder.time(callable) - begin;
    progress(done + 1, elapsed_ns);
  }
  return elapsed_ns;
}

/// A loop in stretches, a timer around each: as cheap as one around the whole, and tells how sure
/// its mean is and whether the level held.
struct LoopRun {
  LoopTiming total;
  std::vector<LoopTiming> stretches;  ///< In order; all but the last ones about equally long.
  std::int64_t timers = 0;            ///< Two reads of the clock each.
};

/// Two reads of the clock, some 50 ns, are lost in a stretch.
inline constexpr double kLeastStretch_ns = 200'000;
/// Of more than that, two and two become one and the next ones are twice as long: a run of any
/// length ends with 200 to 400 of them.
inline constexpr std::size_t kMostStretches = 400;

/// Makes one of each two neighbours; of an odd number the last stays as it is.
void merge_pairs(std::vector<LoopTiming>& stretches);

/// Calls `part(iterations)`, which does as many and returns their LoopTiming, until the bound is
/// met; less than asked for ends it. A stretch takes kLeastStretch_ns at least where `expected_ns`,
/// what an iteration is thought to take, is right, and soon after where it is not. What lies
/// between two stretches, `progress` included, is in no time.
template <class Part, class Progress = NoProgress>
[[nodiscard]] LoopRun in_stretches(Part&& part, const RunBound& bound, double expected_ns,
                                   Progress&& progress = {}) {
  constexpr std::int64_t kLongest = 1'000'000'000;
  const bool by_time = bound.duration_ns > 0;
  auto stretch = static_cast<std::int64_t>(kLeastStretch_ns / std::max(expected_ns, 1.0));
  stretch = std::max<std::int64_t>(stretch, 1);
  LoopRun run;
  run.stretches.reserve(kMostStretches);
  LoopTiming& total = run.total;
  while (total.iterations < bound.iterations || total.total_ns < bound.duration_ns) {
    const std::int64_t left = bound.iterations - total.iterations;
    const std::int64_t asked = by_time ? stretch : std::min(stretch, left);
    const LoopTiming done = part(asked);
    if (done.iterations > 0) run.stretches.push_back(done);
    total.iterations += done.iterations;
    total.total_ns += done.total_ns;
    ++run.timers;
    if (done.iterations < asked) break;
    progress(total.iterations, total.total_ns);
    const bool many = run.stretches.size() == kMostStretches;
    if (many) merge_pairs(run.stretches);
    if (many || static_cast<double>(done.total_ns) < kLeastStretch_ns / 2) {
      stretch = std::min(2 * stretch, kLongest);
    }
  }
  return run;
}

/// measure_calls in stretches. A cancellation ends it after the call under way.
template <class Callable, NanosecondClock Clock = SteadyClock, class Progress = NoProgress>
[[nodiscard]] LoopRun measure_stretches(Callable&& callable, const RunBound& bound,
                                        double expected_ns, Clock clock = {},
                                        Progress&& progress = {}) {
  return in_stretches(
      [&](std::int64_t iterations) { return measure_calls(callable, iterations, clock); }, bound,
      expected_ns, progress);
}

}  // namespace hedge
