// SPDX-License-Identifier: Apache-2.0
#include "stats/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "hedge/error.h"
#include "stats/series.h"

namespace hedge {
namespace {

struct Moments {
  double mean = 0;
  std::optional<double> stddev;
};

/// Two passes over the distances from the minimum: the sum neither overflows nor loses the small
/// differences of large values.
Moments moments(std::span<const std::int64_t> sorted) {
  const std::int64_t origin = sorted.front();
  const double n = static_cast<double>(sorted.size());
  double sum = 0;
  for (const std::int64_t sample : sorted) sum += static_cast<double>(sample - origin);
  const double mean = sum / n;
  Moments result{static_cast<double>(origin) + mean, std::nullopt};
  if (sorted.size() < 2) return result;
  double squares = 0;
  for (const std::int64_t sample : sorted) {
    const double distance = static_cast<double>(sample - origin) - mean;
    squares += distance * distance;
  }
  result.stddev = std::sqrt(squares / (n - 1));
  return result;
}

/// Of the percentile that `evidence` is about, which it completes.
std::optional<Interval> percentile_interval(std::span<const std::int64_t> ns,
                                            std::span<const std::int64_t> sorted,
                                            PercentileEvidence& evidence) {
  const double quantile = evidence.percent / 100;
  evidence.independent = independent_samples(ns, percentile(sorted, evidence.percent));
  evidence.needed = fewest_samples(quantile);
  const auto ranks = stretched_quantile_ranks(ns.size(), evidence.independent, quantile);
  if (!ranks) return std::nullopt;
  return Interval{static_cast<double>(sorted[ranks->lower - 1]),
                  static_cast<double>(sorted[ranks->upper - 1])};
}

}  // namespace

std::size_t nearest_rank(std::size_t count, double percent) {
  if (count == 0) throw bad_input("a percentile of no samples was asked for");
  if (!(percent >= 0 && percent <= 100)) {
    throw bad_input(fmt::format("a percentile of {} is not between 0 and 100", percent));
  }
  constexpr std::uint64_t kWhole = 100'000;  // 100 %, in units of 0.001 %
  const auto units = static_cast<std::uint64_t>(std::llround(percent * 1000));
  const std::uint64_t rank = (std::uint64_t{count} * units + kWhole - 1) / kWhole;
  return static_cast<std::size_t>(std::max<std::uint64_t>(rank, 1));
}

std::int64_t percentile(std::span<const std::int64_t> sorted, double percent) {
  return sorted[nearest_rank(sorted.size(), percent) - 1];
}

Summary summarize(std::span<const std::int64_t> ns) {
  if (ns.empty()) throw bad_input("there are no samples to summarise");
  std::vector<std::int64_t> sorted(ns.begin(), ns.end());
  std::sort(sorted.begin(), sorted.end());

  Summary summary;
  summary.count = sorted.size();
  const auto [mean, stddev] = moments(sorted);
  summary.mean_ns = mean;
  summary.stddev_ns = stddev;
  summary.min_ns = sorted.front();
  summary.max_ns = sorted.back();
  summary.p50_ns = percentile(sorted, 50);
  summary.p90_ns = percentile(sorted, 90);
  summary.p95_ns = percentile(sorted, 95);
  summary.p99_ns = percentile(sorted, 99);
  summary.p999_ns = percentile(sorted, 99.9);
  const SeriesMean series = mean_of_series(ns);
  summary.mean_ci95_ns = series.interval;
  summary.autocorrelation_time = series.autocorrelation_time;
  if (stddev && mean > 0) summary.coefficient_of_variation = *stddev / mean;
  const std::array<std::optional<Interval>*, kPercentiles.size()> intervals{
      &summary.p50_ci95_ns, &summary.p90_ci95_ns, &summary.p95_ci95_ns, &summary.p99_ci95_ns,
      &summary.p999_ci95_ns};
  for (std::size_t i = 0; i < kPercentiles.size(); ++i) {
    summary.evidence[i].percent = kPercentiles[i];
    *intervals[i] = percentile_interval(ns, sorted, summary.evidence[i]);
  }
  if (summary.mean_ci95_ns) {
    const double least = summary.p50_ci95_ns ? static_cast<double>(summary.min_ns) : 0;
    summary.mean_ci95_ns->lower = std::max(summary.mean_ci95_ns->lower, least);
  }
  return summary;
}

}  // namespace hedge
