// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "measure/presets.h"
#include "result/result.h"

namespace hedge::cli {

// Lines for people about how a measurement went, each ending in a line end. Empty where there is
// nothing to say.

/// " (95 %: 1.234 to 4.567)" of microseconds; empty for none.
[[nodiscard]] std::string us_interval_text(const std::optional<Range>& range);
[[nodiscard]] std::string plan_line(const MeasuringPlan& plan);
/// How long the warm-up took, whether it settled, and the cold start.
[[nodiscard]] std::string warm_up_line(const Result& result, const std::string& unit = "inference");
/// "latency" of a loop, with its interval, for an inference or a decision.
[[nodiscard]] std::string loop_latency_line(const LatencyResult& loop, const std::string& unit);
/// What is timed of a loop beside the call itself, to be put behind its name.
inline constexpr const char* kLoopTimed =
    ", the loop's counter and a look at the flag of Ctrl-C; a timer around each stretch";
/// Coefficient of variation, autocorrelation, and percentiles that the samples do not suffice for.
[[nodiscard]] std::string evidence_lines(const LatencyResult& latency);
/// Mean with its interval and the least one line of percentiles, under a title of 10 letters.
[[nodiscard]] std::string short_latency_line(const std::string& title,
                                             const LatencyResult& latency);
[[nodiscard]] std::string headline_line(const Result& result);
[[nodiscard]] std::string repetitions_line(const Result& result);
/// Segments and drift, where the level did not hold.
[[nodiscard]] std::string regimes_lines(const Result& result);
[[nodiscard]] std::string paced_lines(const Result& result);
[[nodiscard]] std::string split_line(const SplitResult& split);
/// What run_split found, and launch_bound_advice; empty without.
[[nodiscard]] std::string gpu_split_lines(const Result& result,
                                          const std::vector<std::string>& advice);
/// CPU against wall.
[[nodiscard]] std::string usage_line(const Result& result, const std::string& unit = "inference");
[[nodiscard]] std::string verdict_lines(const Validity& validity);

}  // namespace hedge::cli
