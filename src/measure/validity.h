// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "measure/latency.h"
#include "measure/loop_summary.h"
#include "measure/regimes.h"
#include "measure/steady.h"
#include "measure/timer.h"
#include "result/result.h"
#include "stats/summary.h"

namespace hedge {

// Thresholds of the verdict; docs/measuring.md gives the reasons to users.

/// Below it an interval of the mean rests on the distribution's shape rather than on the samples
/// (of a loop: the stretches).
inline constexpr double kFewestIndependent = 20;
/// Half the width of the mean's 95 % interval, as a fraction of the mean.
inline constexpr double kMostMeanError = 0.05;
/// Coefficient of variation: above it the mean belongs to the outliers.
inline constexpr double kMostVariation = 0.5;
/// What the timer adds, as a fraction of the median sample.
inline constexpr double kMostTimerShare = 0.05;
/// How far the loop's mean may be from that of the same inferences timed one by one, the timer's
/// own cost taken off, as a fraction.
inline constexpr double kMostLoopDifference = 0.1;
/// Requests of a paced load that began late because of the one before, of periodic arrivals.
inline constexpr double kMostMissed = 0.01;
/// Share of the time in which a paced load is served: near 1 the queue grows as long as it runs.
inline constexpr double kMostBusy = 0.95;

/// A percentile that the run was made for, and the samples without which it says nothing.
struct PercentileGoal {
  double percent = 0;
  std::size_t needed = 0;
  std::size_t independent = 0;
};

/// Of a paced load.
struct PacedEvidence {
  bool periodic = true;  ///< Of Poisson's requests some wait in any queue.
  std::int64_t requests = 0;
  std::int64_t missed = 0;
  double busy = 0;  ///< Share of the time.
};

/// What a verdict looks at. Whatever is absent was not measured and is not judged.
struct RunEvidence {
  std::optional<Summary> summary;   ///< Of the samples, one by one.
  std::optional<LoopSummary> loop;  ///< Of the same work under few timers.
  std::optional<Regimes> regimes;   ///< Of the samples; where there are none, of the stretches.
  std::optional<WarmUp> warm_up;
  std::optional<TimerOverhead> timer;  ///< Where its cost is in the figure that is reported.
  double timer_ns = 0;                 ///< TimerOverhead::sample_ns, which is in `summary` alone.
  std::optional<PercentileGoal> goal;
  bool cut_short = false;  ///< By Ctrl-C.
  std::optional<PacedEvidence> paced;
  std::vector<std::string> serious_conditions;           ///< Severity::kSerious, each with advice.
  std::string longer = "raise --iterations";             ///< How this run is made to tell more.
  std::string warmer = "warm up longer (--warmup=30s)";  ///< How it is made to begin steady.
};

/// All of it but `goal` and `paced`, of samples and a loop, either of which may be empty.
[[nodiscard]] RunEvidence evidence_of(std::span<const std::int64_t> samples_ns, const LoopRun& loop,
                                      const WarmUp& warm_up, const TimerOverhead& overhead,
                                      std::vector<std::string> serious_conditions);

/// VALID, or INVALID with every reason and what to do about it, in the order of RunEvidence.
[[nodiscard]] Validity judge(const RunEvidence& evidence);

/// RunEvidence::longer of a run that ends when both bounds are met.
[[nodiscard]] std::string longer_advice(const RunBound& bound);

/// "5.17 ns", "95.67 us".
[[nodiscard]] std::string time_text(double ns);

/// Microseconds without their unit: two decimals, and of small ones as many as four digits take:
/// "95.67", "1.234", "0.005172".
[[nodiscard]] std::string us_text(double us);

/// "p99", "p99.9".
[[nodiscard]] std::string percentile_name(double percent);

}  // namespace hedge
