// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "measure/latency.h"
#include "measure/timer.h"
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

}  // namespace hedge
