// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "energy/energy_summary.h"
#include "energy/power_meter.h"
#include "measure/metered_run.h"
#include "result/result.h"

namespace hedge {

/// The schema's form of a run's energy. What is not known is absent.
[[nodiscard]] EnergyResult energy_result(const MeterFacts& meter, const EnergySummary& summary,
                                         const Recording& recording);

/// When the load did what, in seconds since 1970: the spans "idle_before", "load" and "idle_after",
/// each {begin, end}, for who joins it with a log of his own.
[[nodiscard]] nlohmann::json timeline_json(const MeteredRun& run);

}  // namespace hedge
