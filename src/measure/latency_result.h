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
#include "measure/validity.h"
#include "result/result.h"
#include "stats/summary.h"

namespace hedge {

/// The schema's form of recorded samples: microseconds, with the 95 % intervals where the samples
/// suffice. `scope` is one of kScope... (result.h).
[[nodiscard]] LatencyResult latency_result(const Summary& summary, std::string scope,
                                           const TimerOverhead& overhead);

/// The schema's form of a loop: count, mean and its interval (scope kScopeLoop), and what the
/// timers add to an iteration. Throws bad_input when no iteration was done.
[[nodiscard]] LatencyResult latency_result(const LoopRun& loop, const TimerOverhead& overhead);

/// latency_us, which is the loop's where there is one, and per_iteration_us beside it; regimes;
/// throughput of a closed loop, of config.batch.
void set_latency(const RunEvidence& evidence, const LoopRun& loop, const TimerOverhead& overhead,
                 Result& result);

// The schema's forms of what the other headers of this folder measure.
/// warmup and cold_us.
void set_warm_up(const WarmUp& warm_up, Result& result);
[[nodiscard]] RegimesResult regimes_result(const Regimes& regimes);
[[nodiscard]] UsageResult usage_result(const ProcessUsage& usage, std::int64_t inferences);
/// Throws bad_input when there is no request.
[[nodiscard]] PacedResult paced_result(const PacedRun& run, const PacedOptions& options,
                                       const TimerOverhead& overhead);

}  // namespace hedge
