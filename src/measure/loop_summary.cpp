// SPDX-License-Identifier: Apache-2.0
#include "measure/loop_summary.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "hedge/error.h"
#include "stats/series.h"

namespace hedge {
namespace {

constexpr double kPicoseconds = 1e3;  ///< Whole nanoseconds are too coarse for a loop.

/// An iteration of each stretch, picoseconds.
std::vector<std::int64_t> means_of(const LoopRun& loop) {
  std::int64_t longest = 0;
  for (const LoopTiming& part : loop.stretches) longest = std::max(longest, part.iterations);
  std::vector<std::int64_t> means;
  for (const LoopTiming& part : loop.stretches) {
    if (2 * part.iterations < longest) continue;
    means.push_back(std::llround(part.ns_per_iteration() * kPicoseconds));
  }
  return means;
}

}  // namespace

LoopSummary summarize(const LoopRun& loop) {
  if (loop.total.iterations <= 0) {
    throw bad_input("no iteration was done, so there is no latency");
  }
  const std::vector<std::int64_t> means = means_of(loop);
  LoopSummary summary;
  summary.mean_ns = loop.total.ns_per_iteration();
  summary.stretches = means.size();
  if (means.size() < 2) return summary;
  const SeriesMean series = mean_of_series(means);
  summary.autocorrelation_time = series.autocorrelation_time;
  const double half = (series.interval->upper - series.interval->lower) / 2 / kPicoseconds;
  summary.mean_ci95_ns = Interval{std::max(summary.mean_ns - half, 0.0), summary.mean_ns + half};
  return summary;
}

std::optional<Regimes> find_regimes(const LoopRun& loop) {
  const std::vector<std::int64_t> means = means_of(loop);
  if (means.size() < kFewestToJudge) return std::nullopt;
  Regimes regimes = find_regimes(means);
  for (Segment& segment : regimes.segments) {
    segment.median_ns /= kPicoseconds;
    segment.mean_ns /= kPicoseconds;
  }
  return regimes;
}

}  // namespace hedge
