// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "base/clock.h"
#include "hedge/engine.h"
#include "measure/timer.h"
#include "result/result.h"

namespace hedge {

/// What was seen of a context's parts.
struct SplitRun {
  std::vector<TimeSplitter::Split> splits;
  bool at_once = true;  ///< TimeSplitter::enqueues_at_once().
};

/// How much is measured: fewer where the time is up before, but one at least.
struct SplitBound {
  std::int64_t inferences = 400;
  std::int64_t duration_ns = 300'000'000;
};

/// Times the parts of inferences of their own: with what takes the times in it an inference takes
/// longer, so it is no sample of latency. The first ones, which are not kept, warm it up. Nothing
/// is kept where a cancellation came before.
template <NanosecondClock Clock = SteadyClock>
[[nodiscard]] SplitRun run_split(TimeSplitter& splitter, const SplitBound& bound = {},
                                 Clock clock = {}) {
  constexpr int kWarmUp = 10;
  SplitRun run{.splits = {}, .at_once = splitter.enqueues_at_once()};
  run.splits.reserve(static_cast<std::size_t>(bound.inferences));
  const std::int64_t begin = clock.now_ns();
  for (int i = 0; i < kWarmUp && !cancellation_requested(); ++i) (void)splitter.infer_split();
  while (static_cast<std::int64_t>(run.splits.size()) < bound.inferences &&
         !cancellation_requested()) {
    run.splits.push_back(splitter.infer_split());
    if (clock.now_ns() - begin >= bound.duration_ns) break;
  }
  return run;
}

/// Medians of each part. Throws bad_input where there is no split.
[[nodiscard]] SplitResult split_result(const SplitRun& run);

/// From that share of the GPU's time on the host's enqueue is called what holds a net up: a
/// threshold of trtexec's too (samples/common/sampleReporting.cpp, 0.8).
inline constexpr double kLaunchBoundShare = 0.8;

/// The GPU's parts together, in microseconds; 0 where it has none.
[[nodiscard]] double gpu_us(const SplitResult& split);

/// Why the net is bound by its launches and what helps, a sentence each; nothing where it is not.
[[nodiscard]] std::vector<std::string> launch_bound_advice(const SplitResult& split, bool at_once);

}  // namespace hedge
