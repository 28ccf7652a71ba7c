// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "energy/energy_summary.h"
#include "energy/power_meter.h"
#include "measure/metered_run.h"
#include "result/result.h"

namespace hedge {

/// The schema's form of a run's energy. What is not known is absent.
[[nodiscard]] EnergyResult energy_result(const MeterFacts& meter, const EnergySummary& summary,
                                         const Recording& recording);

/// Makes `doubts` reasons of the verdict, in place of those that were said of energy before: a log
/// may be joined later.
void judge_energy(const std::vector<std::string>& doubts, Result& result);

/// When the load did what, in seconds since 1970: the spans "idle_before", "load" and "idle_after",
/// each [begin, end], and "markers", a list of [begin, end, busy]. For joining an external meter's
/// log later.
[[nodiscard]] nlohmann::json timeline_json(const MeteredRun& run);

/// A run as far as its timeline tells, with the time of day for its clock and `iterations` spread
/// evenly over the load. Throws bad_input with `source`, a file's name.
[[nodiscard]] MeteredRun run_from_timeline(const nlohmann::json& timeline, std::int64_t iterations,
                                           const std::string& source);

}  // namespace hedge
