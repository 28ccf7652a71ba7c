// SPDX-License-Identifier: Apache-2.0
#include "stats/summary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "hedge/error.h"
#include "stats/series.h"

namespace hedge {
namespace {

constexpr double kTolerance = 1e-9;

TEST(NearestRank, IsTheCeilingInExactArithmetic) {
  EXPECT_EQ(nearest_rank(1, 0), 1U);
  EXPECT_EQ(nearest_rank(1, 100), 1U);
  EXPECT_EQ(nearest_rank(2, 50), 1U);
  EXPECT_EQ(nearest_rank(3, 50), 2U);
  EXPECT_EQ(nearest_rank(10, 90), 9U);
  EXPECT_EQ(nearest_rank(100, 99), 99U);
  EXPECT_EQ(nearest_rank(101, 99), 100U);
  // ceil(99.9 / 100.0 * 1000) is 1000 in floating point, ceil(0.07 * 100) is 8.
  EXPECT_EQ(nearest_rank(1000, 99.9), 999U);
  EXPECT_EQ(nearest_rank(10000, 99.9), 9990U);
  EXPECT_EQ(nearest_rank(100, 7), 7U);
  EXPECT_EQ(nearest_rank(999, 99.9), 999U);
}

TEST(NearestRank, AgreesWithTheDefinitionForAllSmallCounts) {
  // The smallest rank r with r / count >= percent / 100.
  for (std::size_t count = 1; count <= 300; ++count) {
    for (std::size_t percent = 1; percent <= 100; ++percent) {
      std::size_t rank = 1;
      while (rank * 100 < percent * count) ++rank;
      ASSERT_EQ(nearest_rank(count, static_cast<double>(percent)), rank)
          << percent << " % of " << count;
    }
  }
}

TEST(NearestRank, RefusesNoSamplesAndNoPercentages) {
  EXPECT_THROW((void)nearest_rank(0, 50), Error);
  EXPECT_THROW((void)nearest_rank(5, -0.1), Error);
  EXPECT_THROW((void)nearest_rank(5, 100.1), Error);
  EXPECT_THROW((void)nearest_rank(5, std::numeric_limits<double>::quiet_NaN()), Error);
  EXPECT_THROW((void)percentile({}, 50), Error);
}

// Golden numbers: NumPy, percentile(method="inverted_cdf"), mean and std(ddof=1); SciPy 1.17 for
// the intervals.
TEST(Summarize, AgreesWithNumPy) {
  const std::vector<std::int64_t> ns{17317, 14805, 20445, 24988, 30971, 22763, 18661, 17406,
                                     27574, 35970, 23905, 15214, 16523, 35597, 23409, 13100,
                                     21480, 15538, 18237, 19027, 17783, 26004, 21614, 18456,
                                     24907, 28253, 13455, 20394, 16412, 20911, 14961};
  const Summary summary = summarize(ns);
  EXPECT_EQ(summary.count, 31U);
  EXPECT_NEAR(summary.mean_ns, 21163.870967741936, kTolerance);
  EXPECT_NEAR(summary.stddev_ns.value(), 5959.094689307179, kTolerance);
  EXPECT_EQ(summary.min_ns, 13100);
  EXPECT_EQ(summary.max_ns, 35970);
  EXPECT_EQ(summary.p50_ns, 20394);
  EXPECT_EQ(summary.p90_ns, 28253);
  EXPECT_EQ(summary.p95_ns, 35597);
  EXPECT_EQ(summary.p99_ns, 35970);
  EXPECT_EQ(summary.p999_ns, 35970);
  EXPECT_EQ(summary.mean_ci95_ns, mean_of_series(ns).interval);
  EXPECT_EQ(summary.p50_ci95_ns,
            (Interval{17317, 23905}));  // Of 29 samples: they hang together a little.
  EXPECT_FALSE(summary.p90_ci95_ns.has_value());
  EXPECT_FALSE(summary.p999_ci95_ns.has_value());
}

/// Than the interval of independent samples: chance makes any series look a little connected.
void expect_slightly_wider(const std::optional<Interval>& interval, const Interval& independent) {
  ASSERT_TRUE(interval);
  EXPECT_LE(interval->lower, independent.lower);
  EXPECT_GE(interval->upper, independent.upper);
  EXPECT_LT(interval->upper - interval->lower, 1.35 * (independent.upper - independent.lower));
}

TEST(Summarize, TellsEveryIntervalOfEnoughSamples) {
  std::vector<std::int64_t> ns(10000);
  std::iota(ns.begin(), ns.end(), 1);
  std::shuffle(ns.begin(), ns.end(), std::mt19937_64(1));
  const Summary summary = summarize(ns);
  EXPECT_EQ(summary.p50_ns, 5000);
  EXPECT_EQ(summary.p90_ns, 9000);
  EXPECT_EQ(summary.p95_ns, 9500);
  EXPECT_EQ(summary.p99_ns, 9900);
  EXPECT_EQ(summary.p999_ns, 9990);
  expect_slightly_wider(summary.p50_ci95_ns, {4902, 5099});
  expect_slightly_wider(summary.p95_ci95_ns, {9457, 9543});
  expect_slightly_wider(summary.p99_ci95_ns, {9880, 9920});
  expect_slightly_wider(summary.p999_ci95_ns, {9983, 9997});
}

TEST(Summarize, TellsWhatStandsBehindEachPercentile) {
  std::vector<std::int64_t> ns(500);
  std::iota(ns.begin(), ns.end(), 1);
  std::shuffle(ns.begin(), ns.end(), std::mt19937_64(1));
  const Summary summary = summarize(ns);
  ASSERT_EQ(summary.evidence.size(), 5U);
  for (std::size_t i = 0; i < summary.evidence.size(); ++i) {
    EXPECT_EQ(summary.evidence[i].percent, kPercentiles[i]);
    EXPECT_EQ(summary.evidence[i].needed, fewest_samples(kPercentiles[i] / 100));
    EXPECT_LE(summary.evidence[i].independent, 500U);
    EXPECT_GT(summary.evidence[i].independent, 350U);
  }
  EXPECT_EQ(summary.p999_ci95_ns.has_value(), summary.evidence[4].independent >= 3688);
  EXPECT_EQ(summary.p50_ci95_ns.has_value(), summary.evidence[0].independent >= 6);
  EXPECT_NEAR(summary.coefficient_of_variation.value(), *summary.stddev_ns / 250.5, kTolerance);
}

TEST(Summarize, OneSampleHasNoSpread) {
  const std::vector<std::int64_t> one{42};
  const Summary summary = summarize(one);
  EXPECT_EQ(summary.mean_ns, 42);
  EXPECT_FALSE(summary.stddev_ns.has_value());
  EXPECT_FALSE(summary.mean_ci95_ns.has_value());
  EXPECT_FALSE(summary.p50_ci95_ns.has_value());
  EXPECT_EQ(summary.p999_ns, 42);
}

TEST(Summarize, KeepsSmallDifferencesOfLargeValues) {
  // Sums of squares of such values lose everything in double.
  constexpr std::int64_t kBase = 4'000'000'000'000'000;
  const std::vector<std::int64_t> ns{kBase, kBase + 1, kBase + 2};
  const Summary summary = summarize(ns);
  EXPECT_EQ(summary.mean_ns, static_cast<double>(kBase + 1));
  EXPECT_NEAR(summary.stddev_ns.value(), 1.0, kTolerance);
}

TEST(Summarize, RefusesNoSamples) {
  EXPECT_THROW((void)summarize({}), Error);
}

TEST(Summarize, NoIntervalOfAMeanReachesBelowWhatADurationCanBe) {
  std::vector<std::int64_t> ns(30, 1000);
  ns[7] = 1'000'000;
  const Summary thirty = summarize(ns);
  EXPECT_EQ(thirty.mean_ci95_ns->lower, 1000);  // Student's t alone: about -34,000.
  EXPECT_GT(thirty.mean_ci95_ns->upper, 100'000);
  const Summary two = summarize(std::vector<std::int64_t>{1000, 9000});
  EXPECT_EQ(two.mean_ci95_ns->lower, 0);  // Two say nothing of the median.
}

}  // namespace
}  // namespace hedge
