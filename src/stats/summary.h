// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "stats/intervals.h"

namespace hedge {

/// Rank, from 1, of a percentile among `count` ascending samples by the nearest-rank rule:
/// ceil(percent / 100 * count), at least 1. `percent` is read to 0.001 and the rest is integer
/// arithmetic, since 99.9 / 100 * 1000 is above 999 in floating point. Throws bad_input unless
/// 0 <= percent <= 100 and count > 0.
[[nodiscard]] std::size_t nearest_rank(std::size_t count, double percent);

/// A percentile of ascending samples by nearest rank: always one of the samples, never a value
/// between two. Throws as nearest_rank.
[[nodiscard]] std::int64_t percentile(std::span<const std::int64_t> sorted, double percent);

/// The percentiles that a Summary tells.
inline constexpr std::array<double, 5> kPercentiles{50, 90, 95, 99, 99.9};

/// What stands behind a percentile: its interval is there where `independent` reaches `needed`.
struct PercentileEvidence {
  double percent = 0;
  std::size_t independent = 0;  ///< Samples that the series counts as (independent_samples).
  std::size_t needed = 0;       ///< For an interval at 95 % (fewest_samples).
  bool operator==(const PercentileEvidence&) const = default;
};

/// What is told of a set of durations. Nanoseconds; every sample counts, nothing is trimmed.
struct Summary {
  std::size_t count = 0;
  double mean_ns = 0;
  std::optional<double> stddev_ns;  ///< Of the sample (n - 1). From 2 samples on.
  /// stddev / mean. From 2 samples and a mean above 0 on.
  std::optional<double> coefficient_of_variation;
  std::int64_t min_ns = 0;
  std::int64_t max_ns = 0;
  std::int64_t p50_ns = 0;
  std::int64_t p90_ns = 0;
  std::int64_t p95_ns = 0;
  std::int64_t p99_ns = 0;
  std::int64_t p999_ns = 0;
  double autocorrelation_time = 1;  ///< Samples that say as much as one independent one.
  /// 95 % intervals that respect it: mean_of_series and quantile_ranks_of_series. Absent where the
  /// samples are too few (p99 takes 368 independent ones, p99.9 takes 3688). Student's interval of
  /// the mean may reach below any duration; here it ends at the least sample where the median has
  /// an interval (that all samples lie above the median has a chance below 2.5 %, and the mean of
  /// durations, skewed to the right, lies above the median), else at 0.
  std::optional<Interval> mean_ci95_ns;
  std::optional<Interval> p50_ci95_ns;
  std::optional<Interval> p90_ci95_ns;
  std::optional<Interval> p95_ci95_ns;
  std::optional<Interval> p99_ci95_ns;
  std::optional<Interval> p999_ci95_ns;
  std::array<PercentileEvidence, kPercentiles.size()>
      evidence{};  ///< In the order of kPercentiles.
};

/// The samples in the order in which they were taken. Sorts one copy of them and reads everything
/// from it. Throws bad_input when there are none.
[[nodiscard]] Summary summarize(std::span<const std::int64_t> ns);

}  // namespace hedge
