// SPDX-License-Identifier: Apache-2.0
#include "measure/metered_run.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace hedge {

ClockPair ClockPair::now() {
  const std::int64_t before = SteadyClock::now_ns();
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t after = SteadyClock::now_ns();
  return {before + (after - before) / 2,
          std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count()};
}

bool MeteredLoad::sleep_until(std::int64_t end_ns, bool to_the_end) {
  for (std::int64_t now = SteadyClock::now_ns(); now < end_ns; now = SteadyClock::now_ns()) {
    if (!to_the_end && cancellation_requested()) return false;
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(kSleep_ns, end_ns - now)));
  }
  return true;
}

void MeteredLoad::rest(std::int64_t duration_ns, bool to_the_end) {
  if (duration_ns <= 0) return;
  if (worked_ && !sleep_until(SteadyClock::now_ns() + duration_ns / 4, to_the_end)) return;
  const std::int64_t begin = SteadyClock::now_ns();
  if (!sleep_until(begin + duration_ns, to_the_end)) return;
  (worked_ ? run_.windows.idle_after : run_.windows.idle_before) =
      Window{begin, SteadyClock::now_ns()};
}

MeteredRun MeteredLoad::finish() {
  run_.recording = sampler_.stop();
  run_.end = ClockPair::now();
  // The readings beside the load's begin and end may lie far off where it is short.
  if (worked_) {
    run_.recording.progress.insert(run_.windows.load.begin_ns, 0);
    run_.recording.progress.insert(run_.windows.load.end_ns, done());
  }
  return std::move(run_);
}

}  // namespace hedge
