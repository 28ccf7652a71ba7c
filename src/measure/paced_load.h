// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/clock.h"
#include "measure/latency.h"
#include "measure/timer.h"

// Requests that come at a rate of their own, as they do to a device that mostly sleeps: an open
// loop with one server and a queue. What a closed loop measures is a device that is always awake.

namespace hedge {

enum class Arrivals : std::uint8_t { kPeriodic, kPoisson };

struct PacedOptions {
  double rate_per_s = 1;  ///< Above 0.
  Arrivals arrivals = Arrivals::kPeriodic;
  std::uint64_t seed = 0;  ///< Of the Poisson process.
  RunBound bound{};        ///< Requests, and a time before which requests go on arriving.
};

/// Absolute times of arrival in nanoseconds from the begin, without end: request i of a periodic
/// load at i / rate, those of a Poisson process at sums of exponential gaps. Sums are kept so that
/// nothing is lost to rounding; the same seed gives the same times on every platform.
class ArrivalTimes {
 public:
  /// Throws bad_input unless 0 < rate_per_s <= 1e9.
  ArrivalTimes(double rate_per_s, Arrivals arrivals, std::uint64_t seed);
  [[nodiscard]] std::int64_t next();

 private:
  double gap_ns_;
  Arrivals arrivals_;
  std::mt19937_64 random_;
  std::int64_t count_ = 0;
  double poisson_ns_ = 0;
};

/// One request, nanoseconds by the clock.
struct PacedSample {
  std::int64_t scheduled_ns = 0;  ///< When it arrived.
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
  bool after_idle = false;  ///< The server slept before it; otherwise it came out of the queue.

  [[nodiscard]] std::int64_t service_ns() const noexcept { return end_ns - begin_ns; }
  /// What who asked has waited: queueing, waking up and service.
  [[nodiscard]] std::int64_t response_ns() const noexcept { return end_ns - scheduled_ns; }
};

struct PacedRun {
  std::vector<PacedSample> samples;
  /// The window that the requests fill, idle time included: from the first arrival to the arrival
  /// after the last request, or to its end where that is later. Energy is to be taken over it.
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
  /// Requests that began late because the one before was still running.
  std::int64_t missed = 0;

  [[nodiscard]] std::int64_t busy_ns() const noexcept {
    std::int64_t busy = 0;
    for (const PacedSample& sample : samples) busy += sample.service_ns();
    return busy;
  }
};

/// Sleeps until the steady clock shows `deadline_ns`, by absolute time, so that nothing adds up.
/// May return before: when a cancellation came.
struct DeadlineSleeper {
  void operator()(std::int64_t deadline_ns) const noexcept;
};

/// Called where nothing is pending, with the time of the next arrival: what it does falls into the
/// idle time, which a meter that is polled can use. It must be back before then.
struct NoIdleWork {
  void operator()(std::int64_t /*next_arrival_ns*/) const noexcept {}
};

/// Runs `callable()` for each request: sleeps until it arrives, or begins at once where it is late
/// already. The timed region of a request is that of LatencyRecorder::time. Ends when the bound is
/// met, idle time after the last request included, or after the call under way at a cancellation.
template <class Callable, NanosecondClock Clock = SteadyClock, class Sleeper = DeadlineSleeper,
          class IdleWork = NoIdleWork>
[[nodiscard]] PacedRun run_paced(Callable&& callable, const PacedOptions& options, Clock clock = {},
                                 Sleeper&& sleep_until = {}, IdleWork&& idle_work = {}) {
  constexpr std::int64_t kMostReserved = 10'000'000;
  ArrivalTimes arrivals(options.rate_per_s, options.arrivals, options.seed);
  PacedRun run;
  const double by_time = static_cast<double>(options.bound.duration_ns) * 1e-9 * options.rate_per_s;
  run.samples.reserve(static_cast<std::size_t>(std::min(
      std::max(options.bound.iterations, static_cast<std::int64_t>(by_time)) + 64, kMostReserved)));

  const std::int64_t begin = clock.now_ns();
  std::int64_t arrival = arrivals.next();
  run.begin_ns = begin + arrival;
  run.end_ns = run.begin_ns;
  const auto idle_until = [&](std::int64_t time_ns) {
    idle_work(time_ns);
    while (clock.now_ns() < time_ns && !cancellation_requested()) sleep_until(time_ns);
  };
  const auto goes_on = [&] {
    const auto done = static_cast<std::int64_t>(run.samples.size());
    return !cancellation_requested() &&
           (done < options.bound.iterations ||
            begin + arrival < run.begin_ns + options.bound.duration_ns);
  };
  while (goes_on()) {
    PacedSample sample;
    sample.scheduled_ns = begin + arrival;
    sample.after_idle = clock.now_ns() < sample.scheduled_ns;
    if (sample.after_idle) {
      idle_until(sample.scheduled_ns);
      if (cancellation_requested()) break;
    } else {
      run.missed += run.samples.empty() ? 0 : 1;
    }
    compiler_barrier();
    sample.begin_ns = clock.now_ns();
    compiler_barrier();
    callable();
    compiler_barrier();
    sample.end_ns = clock.now_ns();
    compiler_barrier();
    run.samples.push_back(sample);
    run.end_ns = sample.end_ns;
    arrival = arrivals.next();
  }
  // The idle time after the last request belongs to it, as that before the next one would.
  if (!cancellation_requested() && !run.samples.empty()) {
    if (clock.now_ns() < begin + arrival) idle_until(begin + arrival);
    run.end_ns = std::max(run.end_ns, begin + arrival);
  }
  return run;
}

}  // namespace hedge
