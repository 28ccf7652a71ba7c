// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "measure/latency.h"
#include "measure/paced_load.h"
#include "measure/regimes.h"
#include "measure/steady.h"
#include "measure/timer.h"
#include "measure/usage.h"
#include "result/result.h"
#include "stats/summary.h"

namespace hedge {

/// The schema's form of recorded samples: microseconds, with the 95 % intervals where the samples
/// suffice. `scope` is one of kScope... (result.h).
[[nodiscard]] LatencyResult latency_result(const Summary& summary, std::string scope,
                                           const TimerOverhead& overhead);

/// The schema's form of a loop: count and mean only (scope kScopeLoop), and what the one timer adds
/// to an iteration. Throws bad_input when no iteration was done.
[[nodiscard]] LatencyResult latency_result(const LoopTiming& loop, const TimerOverhead& overhead);

/// The same of a loop in stretches: the mean has the interval of their means.
[[nodiscard]] LatencyResult latency_result(const LoopRun& loop, const TimerOverhead& overhead);

/// Changes of the level of the stretches of a loop (find_regimes, in stretches). Nothing where they
/// are too few to be judged.
[[nodiscard]] std::optional<Regimes> find_regimes(const LoopRun& loop);

// The schema's forms of what the other headers of this folder measure.
/// warmup and cold_us.
void set_warm_up(const WarmUp& warm_up, Result& result);
[[nodiscard]] RegimesResult regimes_result(const Regimes& regimes);
[[nodiscard]] UsageResult usage_result(const ProcessUsage& usage, std::int64_t inferences);
/// Throws bad_input when there is no request.
[[nodiscard]] PacedResult paced_result(const PacedRun& run, const PacedOptions& options,
                                       const TimerOverhead& overhead);

}  // namespace hedge
