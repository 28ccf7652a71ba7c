// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>

#include "measure/latency.h"
#include "measure/regimes.h"
#include "stats/intervals.h"

namespace hedge {

/// What is told of a loop in stretches, from their means. Left out is a stretch less than half as
/// long as the longest, as the last one may be.
struct LoopSummary {
  double mean_ns = 0;  ///< Of an iteration, over all of them.
  /// At 95 %, by mean_of_series, not below 0. Nothing below 2 stretches.
  std::optional<Interval> mean_ci95_ns;
  std::size_t stretches = 0;
  double autocorrelation_time = 1;  ///< In stretches.
};

/// Throws bad_input when no iteration was done.
[[nodiscard]] LoopSummary summarize(const LoopRun& loop);

/// Changes of the level of the stretches. Nothing where they are too few to be judged.
[[nodiscard]] std::optional<Regimes> find_regimes(const LoopRun& loop);

}  // namespace hedge
