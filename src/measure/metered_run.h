// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/clock.h"
#include "energy/energy_summary.h"
#include "energy/marker.h"
#include "energy/sampler.h"
#include "measure/latency.h"

namespace hedge {

/// Calls `callable()` until `iterations` are done, `stop` is set or the run is cancelled, one timer
/// around them, and stores the calls done into `done` after every `stride` of them. The timed
/// region holds, for each call, the counter, two relaxed loads and one relaxed store; no lock.
template <class Callable, NanosecondClock Clock = SteadyClock>
[[nodiscard]] LoopTiming measure_counted_calls(Callable&& callable, std::int64_t iterations,
                                               std::int64_t stride, std::atomic<std::int64_t>& done,
                                               const std::atomic<bool>& stop, Clock clock = {}) {
  LoopTiming timing;
  const std::int64_t before = done.load(std::memory_order_relaxed);
  std::int64_t count = 0;
  compiler_barrier();
  const std::int64_t begin = clock.now_ns();
  compiler_barrier();
  while (count < iterations && !stop.load(std::memory_order_relaxed) && !cancellation_requested()) {
    const std::int64_t end = std::min(count + stride, iterations);
    for (; count < end; ++count) callable();
    done.store(before + count, std::memory_order_relaxed);
  }
  compiler_barrier();
  timing.total_ns = clock.now_ns() - begin;
  timing.iterations = count;
  return timing;
}

/// Wall clock beside the steady one, to find a run in another machine's log.
struct ClockPair {
  std::int64_t steady_ns = 0;
  std::int64_t unix_ns = 0;
  [[nodiscard]] static ClockPair now();
};

/// All that a metered run leaves behind.
struct MeteredRun {
  Recording recording;
  RunWindows windows;
  std::vector<LoadSegment> markers;
  LoopRun loop;
  ClockPair begin;
  ClockPair end;
};

/// A load and a meter beside it. The sampler runs from the constructor to finish(); the methods in
/// between say what the load does: rest, mark, work, mark, rest.
class MeteredLoad {
 public:
  /// `meter` may be none: then latency alone is measured.
  MeteredLoad(PowerMeter* meter, const Sampler::Options& options)
      : sampler_(meter, done_, options) {
    run_.begin = ClockPair::now();
  }

  /// Sleeps for the idle baseline, before work() or after it. After it, a quarter more goes by
  /// first, in which clocks fall and regulators settle. A cancellation ends it, unless
  /// `to_the_end`; what was cut short is no baseline.
  void rest(std::int64_t duration_ns, bool to_the_end = false);

  /// Draws kMarkerChips, a chip of rest on either side. A cancellation as in rest(); what it cut
  /// short is no marker.
  template <class Callable>
  void mark(Callable&& callable, std::int64_t chip_ns, bool to_the_end) {
    const std::size_t before = run_.markers.size();
    bool whole = draw_chip(callable, false, chip_ns, to_the_end);
    for (const bool busy : kMarkerChips) {
      whole = whole && draw_chip(callable, busy, chip_ns, to_the_end);
    }
    whole = whole && draw_chip(callable, false, chip_ns, to_the_end);
    if (!whole) run_.markers.resize(before);
  }

  /// The load itself: measure_counted_calls, in_stretches. A call is thought to take `expected_ns`.
  template <class Callable>
  void work(Callable&& callable, std::int64_t iterations, std::int64_t stride, double expected_ns) {
    run_.windows.load.begin_ns = SteadyClock::now_ns();
    run_.loop = in_stretches(
        [&](std::int64_t count) {
          return measure_counted_calls(callable, count, stride, done_, stop_);
        },
        {.iterations = iterations}, expected_ns);
    run_.windows.load.end_ns = SteadyClock::now_ns();
    worked_ = true;
  }
  /// A load that works in beats: `body(count)` calls `count()` after each of them, in this thread,
  /// and returns its window, which is then taken whole.
  template <class Body>
  void work_in_beats(Body&& body) {
    const auto count = [&] {
      done_.store(done_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    };
    const std::int64_t before = done();
    run_.windows.load = body(count);
    run_.windows.beats = done() - before;
    run_.loop.total = {*run_.windows.beats, run_.windows.load.end_ns - run_.windows.load.begin_ns};
    worked_ = true;
  }
  /// Ends work() soon. From any thread.
  void stop_work() noexcept { stop_.store(true, std::memory_order_relaxed); }

  /// Calls done so far. From any thread.
  [[nodiscard]] std::int64_t done() const noexcept { return done_.load(std::memory_order_relaxed); }
  /// Sampler::recent_watts. From any thread.
  [[nodiscard]] std::optional<double> recent_watts(std::int64_t span_ns) const {
    return sampler_.recent_watts(span_ns);
  }

  /// Ends the sampler; nothing may be called after.
  [[nodiscard]] MeteredRun finish();

 private:
  static constexpr std::int64_t kSleep_ns = 10'000'000;
  /// Sleeps until then, or a cancellation. False where it was one.
  static bool sleep_until(std::int64_t end_ns, bool to_the_end);

  /// False where it was cut short.
  template <class Callable>
  bool draw_chip(Callable&& callable, bool busy, std::int64_t chip_ns, bool to_the_end) {
    const std::int64_t begin = SteadyClock::now_ns();
    const std::int64_t end = begin + chip_ns;
    const auto cancelled = [&] { return !to_the_end && cancellation_requested(); };
    if (busy) {
      while (SteadyClock::now_ns() < end && !cancelled()) callable();
    } else {
      (void)sleep_until(end, to_the_end);
    }
    run_.markers.push_back({{begin, SteadyClock::now_ns()}, busy});
    return !cancelled();
  }

  std::atomic<std::int64_t> done_{0};
  std::atomic<bool> stop_{false};
  MeteredRun run_;
  bool worked_ = false;
  Sampler sampler_;
};

}  // namespace hedge
