// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/clock.h"
#include "hedge/engine.h"
#include "measure/latency.h"
#include "measure/steady.h"
#include "measure/timer.h"

// Several contexts side by side, each in a closed loop on a host thread of its own: what a device
// does in all, and what that costs each image.

namespace hedge {

/// One inference, by the clock.
struct StreamSample {
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
};

/// What one stream did, in order; its neighbours were busy before its first sample and behind its
/// last.
struct StreamRun {
  WarmUp warm_up;
  std::vector<StreamSample> samples;
};

struct StreamsPlan {
  WarmUpRule warm_up;
  RunBound bound;  ///< Of each stream; who meets it goes on until all have.
};

/// While every stream was in its loop: from the latest first begin to the earliest last end.
struct StreamsSummary {
  std::int64_t window_ns = 0;
  /// Of inferences that ended in the window, those of all streams together, in the order of their
  /// ends: neighbours in time stay neighbours, which is what intervals look at.
  std::vector<std::int64_t> samples_ns;
  std::vector<std::int64_t> counts;  ///< How many of them are each stream's.
  /// Inferences.
  [[nodiscard]] double per_second() const noexcept {
    return window_ns > 0
               ? static_cast<double>(samples_ns.size()) * 1e9 / static_cast<double>(window_ns)
               : 0;
  }
};

/// Throws bad_input where a stream has no sample, or all streams never ran at once.
[[nodiscard]] StreamsSummary summarize(std::span<const StreamRun> runs);

/// What the streams tell one another.
class StreamsState {
 public:
  explicit StreamsState(std::size_t streams) : streams_(streams) {}
  void warmed_up() noexcept { ++warm_; }
  void bound_met() noexcept { ++met_; }
  void fail() noexcept { failed_ = true; }
  [[nodiscard]] bool all_warm() const noexcept { return warm_ == streams_; }
  [[nodiscard]] bool goes_on() const noexcept {
    return met_.load(std::memory_order_relaxed) < streams_ &&
           !failed_.load(std::memory_order_relaxed) && !cancellation_requested();
  }

 private:
  std::size_t streams_;
  std::atomic<std::size_t> warm_{0};
  std::atomic<std::size_t> met_{0};
  std::atomic<bool> failed_{false};
};

/// One stream: warms up, keeps its load on until all are warm, then takes samples. The timed region
/// is that of LatencyRecorder.
template <NanosecondClock Clock = SteadyClock>
[[nodiscard]] StreamRun run_stream(ExecutionContext& context, const StreamsPlan& plan,
                                   StreamsState& state, Clock clock = {}) {
  constexpr double kMostExpected = 5e6;
  StreamRun run;  // Not the caller's: neighbours would share cache lines.
  run.warm_up = warm_up_calls([&] { context.infer(); }, plan.warm_up, clock);
  const double by_time =
      static_cast<double>(plan.bound.duration_ns) / std::max(run.warm_up.expected_ns(), 1.0);
  run.samples.resize(
      static_cast<std::size_t>(1.5 * std::max(static_cast<double>(plan.bound.iterations),
                                              std::min(by_time, kMostExpected))));
  run.samples.clear();  // Touched, so that taking samples causes no page fault.
  state.warmed_up();
  while (!state.all_warm() && state.goes_on()) context.infer();
  const std::int64_t begin = clock.now_ns();
  bool met = false;
  while (state.goes_on()) {
    compiler_barrier();
    const std::int64_t from = clock.now_ns();
    compiler_barrier();
    context.infer();
    compiler_barrier();
    const std::int64_t to = clock.now_ns();
    compiler_barrier();
    run.samples.push_back({from, to});
    if (!met && static_cast<std::int64_t>(run.samples.size()) >= plan.bound.iterations &&
        to - begin >= plan.bound.duration_ns) {
      met = true;
      state.bound_met();
    }
  }
  return run;
}

/// All of them, a thread each. An exception of a stream ends all and passes through.
template <NanosecondClock Clock = SteadyClock>
[[nodiscard]] std::vector<StreamRun> run_streams(std::span<ExecutionContext* const> contexts,
                                                 const StreamsPlan& plan, Clock clock = {}) {
  StreamsState state(contexts.size());
  std::vector<StreamRun> runs(contexts.size());
  std::vector<std::exception_ptr> failures(contexts.size());
  std::vector<std::thread> threads;
  threads.reserve(contexts.size());
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    threads.emplace_back([&, i] {
      try {
        runs[i] = run_stream(*contexts[i], plan, state, clock);
      } catch (...) {
        failures[i] = std::current_exception();
        state.fail();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  return runs;
}

}  // namespace hedge
