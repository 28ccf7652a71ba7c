// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace hedge {

/// A two-sided interval, both ends included.
struct Interval {
  double lower = 0;
  double upper = 0;
  bool operator==(const Interval&) const = default;
};

/// Interval of a proportion: `successes` of `total` independent trials. Wilson's score interval
/// without continuity correction (E. B. Wilson, JASA 22, 1927, p. 209; recommended for its coverage
/// by Brown, Cai and DasGupta, Statistical Science 16, 2001). It stays within [0, 1] and makes
/// sense at 0 and at `total` successes, which the textbook (Wald) interval does not. Throws
/// bad_input unless 0 <= successes <= total, total > 0 and 0 < confidence < 1.
[[nodiscard]] Interval wilson_interval(std::int64_t successes, std::int64_t total,
                                       double confidence = 0.95);

/// Interval of a mean from the mean and the sample standard deviation of `count` values: Student's
/// t with count - 1 degrees of freedom. It takes the values for independent; latencies seldom are
/// quite, so read it as a lower bound of the doubt. Nothing for fewer than 2 values. Throws
/// bad_input unless 0 < confidence < 1.
[[nodiscard]] std::optional<Interval> mean_interval(double mean, double stddev, std::size_t count,
                                                    double confidence = 0.95);

/// Two ranks, from 1, of ascending order statistics.
struct RankInterval {
  std::size_t lower = 0;
  std::size_t upper = 0;
  bool operator==(const RankInterval&) const = default;
};

/// The order statistics that enclose the `quantile` (0 < quantile < 1) of the distribution behind
/// `count` independent samples, whatever that distribution is (Hahn and Meeker, Statistical
/// Intervals, 5.2). With X ~ Binomial(count, quantile): lower is the largest l with
/// P(X < l) <= (1 - confidence)/2, upper the smallest u with P(X >= u) <= (1 - confidence)/2. The
/// coverage is at least `confidence`. For the median these are the ends of the sign test's
/// interval. The binomial is exact for every count (incomplete beta function); there is no normal
/// approximation. Nothing when the samples are too few for such an interval (below 6 for a median
/// at 95 %). Throws bad_input on a quantile or confidence outside (0, 1).
[[nodiscard]] std::optional<RankInterval> quantile_ranks(std::size_t count, double quantile,
                                                         double confidence = 0.95);

/// The least `count` for which quantile_ranks has an answer: 6 for a median, 368 for the 99th
/// percentile at 95 %. Throws bad_input as quantile_ranks.
[[nodiscard]] std::size_t fewest_samples(double quantile, double confidence = 0.95);

/// Rank, from 1, of the order statistic that lies above the `quantile` with that confidence, by the
/// same binomial, one-sided: with the largest t for which P(at most t of `count` samples lie above
/// the quantile) <= 1 - confidence it is count - t, and t is at least 1, as MLPerf LoadGen's early
/// stopping has it. Nothing when the samples are too few. Throws bad_input as quantile_ranks.
[[nodiscard]] std::optional<std::size_t> quantile_upper_rank(std::size_t count, double quantile,
                                                             double confidence = 0.99);

/// The least `count` for which quantile_upper_rank has an answer. At a confidence of 0.99: p50 11,
/// p90 64, p95 130, p97 219, p99 662, p99.9 6636.
[[nodiscard]] std::size_t fewest_samples_for_upper(double quantile, double confidence = 0.99);

}  // namespace hedge
