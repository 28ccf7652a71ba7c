// SPDX-License-Identifier: Apache-2.0
#include "stats/intervals.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

constexpr double kTolerance = 1e-9;

// Golden numbers: SciPy 1.17, binomtest(k, n).proportion_ci(method="wilson").
TEST(WilsonInterval, AgreesWithSciPy) {
  struct Case {
    std::int64_t successes;
    std::int64_t total;
    double confidence;
    double lower;
    double upper;
  };
  for (const Case& c : {
           Case{0, 1, 0.95, 0.0, 0.7934506856227626},
           Case{1, 1, 0.95, 0.20654931437723745, 1.0},
           Case{0, 10, 0.95, 0.0, 0.27753279986288926},
           Case{10, 10, 0.95, 0.7224672001371109, 1.0},
           Case{7, 10, 0.95, 0.39677814746114526, 0.892208732593699},
           Case{7548, 10000, 0.95, 0.7462713313777662, 0.7631329830525369},
           Case{8345, 10000, 0.95, 0.8270879807753859, 0.8416551243146315},
           Case{1, 50000, 0.95, 3.530499822832098e-06, 0.00011328970139120264},
           Case{123456, 1000000, 0.99, 0.12261115289079928, 0.12430584373706009},
           Case{3, 7, 0.5, 0.3106034777497514, 0.5552572159915451},
       }) {
    const Interval interval = wilson_interval(c.successes, c.total, c.confidence);
    EXPECT_NEAR(interval.lower, c.lower, kTolerance) << c.successes << " of " << c.total;
    EXPECT_NEAR(interval.upper, c.upper, kTolerance) << c.successes << " of " << c.total;
  }
}

TEST(WilsonInterval, TouchesTheEndsExactly) {
  EXPECT_EQ(wilson_interval(0, 10000).lower, 0.0);
  EXPECT_EQ(wilson_interval(10000, 10000).upper, 1.0);
}

TEST(WilsonInterval, RefusesWhatIsNoProportion) {
  EXPECT_THROW((void)wilson_interval(0, 0), Error);
  EXPECT_THROW((void)wilson_interval(-1, 5), Error);
  EXPECT_THROW((void)wilson_interval(6, 5), Error);
  EXPECT_THROW((void)wilson_interval(1, 5, 0), Error);
  EXPECT_THROW((void)wilson_interval(1, 5, 1), Error);
  EXPECT_THROW((void)wilson_interval(1, 5, std::numeric_limits<double>::quiet_NaN()), Error);
}

// Golden numbers: SciPy 1.17, t.interval(c, n - 1, loc=mean, scale=stddev / sqrt(n)).
TEST(MeanInterval, AgreesWithSciPy) {
  struct Case {
    double mean;
    double stddev;
    std::size_t count;
    double confidence;
    double lower;
    double upper;
  };
  for (const Case& c : {
           Case{0, 1, 2, 0.95, -8.984643532093752, 8.984643532093752},
           Case{10.5, 2.25, 3, 0.95, 4.910690148561757, 16.089309851438244},
           Case{-4, 0.5, 30, 0.99, -4.251622456104942, -3.748377543895058},
           Case{1234.5, 67.8, 10000, 0.95, 1233.1709835432648, 1235.8290164567352},
           Case{1, 1, 100, 0.5, 0.9323024014453847, 1.0676975985546153},
       }) {
    const auto interval = mean_interval(c.mean, c.stddev, c.count, c.confidence);
    ASSERT_TRUE(interval.has_value());
    EXPECT_NEAR(interval->lower, c.lower, kTolerance) << c.count;
    EXPECT_NEAR(interval->upper, c.upper, kTolerance) << c.count;
  }
}

TEST(MeanInterval, NeedsTwoValues) {
  EXPECT_FALSE(mean_interval(1, 0, 0).has_value());
  EXPECT_FALSE(mean_interval(1, 0, 1).has_value());
  EXPECT_EQ(mean_interval(1, 0, 2), (Interval{1, 1}));
  EXPECT_THROW((void)mean_interval(1, 1, 10, 1.5), Error);
}

// Golden numbers: every rank tried against SciPy's binom.cdf and binom.sf.
TEST(QuantileRanks, AgreeWithEnumerationInSciPy) {
  struct Case {
    std::size_t count;
    double quantile;
    double confidence;
    std::optional<RankInterval> ranks;
  };
  const auto ranks = [](std::size_t lower, std::size_t upper) {
    return std::optional<RankInterval>({lower, upper});
  };
  for (const Case& c : std::vector<Case>{
           {0, 0.5, 0.95, {}},
           {1, 0.5, 0.95, {}},
           {5, 0.5, 0.95, {}},
           {6, 0.5, 0.95, ranks(1, 6)},
           {7, 0.5, 0.95, ranks(1, 7)},
           {20, 0.5, 0.95, ranks(6, 15)},
           {100, 0.5, 0.95, ranks(40, 61)},
           {1000, 0.5, 0.95, ranks(469, 532)},
           {10000, 0.5, 0.95, ranks(4902, 5099)},
           {100000, 0.5, 0.95, ranks(49690, 50311)},
           {8, 0.5, 0.99, ranks(1, 8)},
           {1000, 0.5, 0.99, ranks(459, 542)},
           {28, 0.9, 0.95, {}},
           {29, 0.9, 0.95, {}},
           {36, 0.9, 0.95, ranks(29, 36)},
           {1000, 0.9, 0.95, ranks(881, 919)},
           {10000, 0.95, 0.95, ranks(9457, 9543)},
           {367, 0.99, 0.95, {}},
           {368, 0.99, 0.95, ranks(360, 368)},
           {10000, 0.99, 0.95, ranks(9880, 9920)},
           {3687, 0.999, 0.95, {}},
           {3688, 0.999, 0.95, ranks(3680, 3688)},
           {10000, 0.999, 0.95, ranks(9983, 9997)},
           {50, 0.1, 0.9, ranks(2, 10)},
       }) {
    EXPECT_EQ(quantile_ranks(c.count, c.quantile, c.confidence), c.ranks)
        << c.count << " samples, quantile " << c.quantile;
  }
}

TEST(QuantileRanks, OfAMedianAreSymmetricUpToMillions) {
  for (const std::size_t count : {6U, 7U, 999U, 4096U, 1'000'003U, 50'000'000U}) {
    const auto ranks = quantile_ranks(count, 0.5);
    ASSERT_TRUE(ranks.has_value());
    EXPECT_EQ(ranks->lower + ranks->upper, count + 1) << count;
    // The normal approximation's half width, for the order of magnitude.
    const double half = 0.98 * std::sqrt(static_cast<double>(count));
    EXPECT_NEAR(static_cast<double>(ranks->upper - ranks->lower) / 2, half, 1.5) << count;
  }
}

TEST(QuantileRanks, RefuseWhatIsNoProbability) {
  EXPECT_THROW((void)quantile_ranks(100, 0), Error);
  EXPECT_THROW((void)quantile_ranks(100, 1), Error);
  EXPECT_THROW((void)quantile_ranks(100, 0.5, 1), Error);
  EXPECT_THROW((void)quantile_ranks(100, std::numeric_limits<double>::quiet_NaN()), Error);
}

TEST(FewestSamples, AreTheFirstWithAnInterval) {
  for (const double quantile : {0.05, 0.5, 0.9, 0.95, 0.99, 0.999}) {
    for (const double confidence : {0.5, 0.9, 0.95, 0.99}) {
      const std::size_t fewest = fewest_samples(quantile, confidence);
      EXPECT_TRUE(quantile_ranks(fewest, quantile, confidence)) << quantile << " " << confidence;
      EXPECT_FALSE(quantile_ranks(fewest - 1, quantile, confidence))
          << quantile << " " << confidence;
    }
  }
  EXPECT_EQ(fewest_samples(0.5), 6U);
  EXPECT_EQ(fewest_samples(0.99), 368U);
  EXPECT_EQ(fewest_samples(0.999), 3688U);
  EXPECT_EQ(fewest_samples(0.5, 0.5), 2U);  // 2 * log(1/2) is a whole number.
  EXPECT_THROW((void)fewest_samples(1), Error);
  EXPECT_THROW((void)fewest_samples(0.5, 0), Error);
}

// The counts that MLPerf LoadGen documents for its early stopping.
TEST(FewestSamplesForUpper, AreThoseOfEarlyStopping) {
  EXPECT_EQ(fewest_samples_for_upper(0.5), 11U);
  EXPECT_EQ(fewest_samples_for_upper(0.9), 64U);
  EXPECT_EQ(fewest_samples_for_upper(0.95), 130U);
  EXPECT_EQ(fewest_samples_for_upper(0.97), 219U);
  EXPECT_EQ(fewest_samples_for_upper(0.99), 662U);
  EXPECT_EQ(fewest_samples_for_upper(0.999), 6636U);
}

TEST(QuantileUpperRank, IsTheSecondLargestOfTheFewest) {
  EXPECT_EQ(quantile_upper_rank(64, 0.9), 63U);
  EXPECT_FALSE(quantile_upper_rank(63, 0.9));
  EXPECT_FALSE(quantile_upper_rank(1, 0.5, 0.5));
  EXPECT_FALSE(quantile_upper_rank(0, 0.5));
  EXPECT_THROW((void)quantile_upper_rank(10, 0), Error);
}

}  // namespace
}  // namespace hedge
