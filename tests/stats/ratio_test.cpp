// SPDX-License-Identifier: Apache-2.0
#include "stats/ratio.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

constexpr double kTolerance = 1e-9;
using Samples = std::vector<std::int64_t>;

// Golden numbers: SciPy 1.17. Of 15 pairs none is trimmed: ttest_1samp of log(a / b) at 98 %.
TEST(PairedRatio, AgreesWithSciPy) {
  const Samples a{22072, 21943, 21366, 19835, 21171, 19749, 19235, 22527,
                  19714, 24761, 23663, 18038, 22634, 19729, 22099};
  const Samples b{23257, 18980, 22622, 22571, 25494, 20575, 24929, 20746,
                  22401, 21289, 26766, 24510, 29530, 24691, 25197};
  const RatioEstimate estimate = paired_ratio(a, b);
  EXPECT_NEAR(estimate.ratio, 0.9033119181847907, kTolerance);
  ASSERT_TRUE(estimate.interval.has_value());
  EXPECT_NEAR(estimate.interval->lower, 0.8199989411722265, kTolerance);
  EXPECT_NEAR(estimate.interval->upper, 0.9950896038575558, kTolerance);
}

// trim_mean of log(a / b) at 0.05.
TEST(PairedRatio, IsTrimmedAsByScipy) {
  Samples a;
  Samples b;
  for (std::int64_t i = 0; i < 60; ++i) {
    a.push_back(1000 + i * i * 37 % 211);
    b.push_back(990 + i * i * i * 11 % 307);
  }
  a[7] *= 50;
  EXPECT_NEAR(paired_ratio(a, b).ratio, 0.9605947474592156, kTolerance);
}

TEST(PairedRatio, OfSwappedContendersIsTheInverse) {
  const Samples a{100, 210, 330, 405, 520, 600, 777, 801, 820, 831, 840, 855};
  const Samples b{110, 200, 300, 410, 500, 666, 700, 900, 830, 825, 850, 850};
  const RatioEstimate forward = paired_ratio(a, b);
  const RatioEstimate backward = paired_ratio(b, a);
  EXPECT_NEAR(forward.ratio * backward.ratio, 1, kTolerance);
  EXPECT_NEAR(forward.interval->lower * backward.interval->upper, 1, kTolerance);
}

TEST(PairedRatio, TakesPairsNotSortedSamples) {
  // Drift of a factor of 100 that meets both: the ratio stays 2 throughout.
  const Samples a{2, 20, 200, 2000, 200, 20, 2};
  const Samples b{1, 10, 100, 1000, 100, 10, 1};
  const RatioEstimate estimate = paired_ratio(a, b);
  EXPECT_NEAR(estimate.ratio, 2, kTolerance);
  EXPECT_NEAR(estimate.interval->lower, 2, kTolerance);
  EXPECT_NEAR(estimate.interval->upper, 2, kTolerance);
}

TEST(PairedRatio, ShrugsOffInterruptions) {
  Samples a(100, 1000);
  Samples b(100, 1000);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] += static_cast<std::int64_t>(i % 7);
    b[i] += static_cast<std::int64_t>(i % 5) + 20;
    if (i % 25 == 3) a[i] *= 1000;
  }
  const RatioEstimate estimate = paired_ratio(a, b);
  EXPECT_NEAR(estimate.ratio, 1003.0 / 1022, 0.001);
  EXPECT_LT(estimate.interval->upper, 1);
}

TEST(PairedRatio, BelowTheUnitOfTheClockIsOneNanosecond) {
  const Samples a{0, 0, 4};
  const Samples b{0, 4, 0};
  EXPECT_NEAR(paired_ratio(a, b).ratio, 1, kTolerance);
}

TEST(PairedRatio, OfOnePairHasNoInterval) {
  EXPECT_FALSE(paired_ratio(Samples{1}, Samples{2}).interval.has_value());
  EXPECT_TRUE(paired_ratio(Samples{1, 1}, Samples{2, 3}).interval.has_value());
}

/// Of ten rounds each with an offset of its own; pairs agree within one far better than rounds do.
TEST(RatioOverRounds, KnowsWhatRoundsDisagreeOn) {
  Samples a;
  Samples b;
  std::vector<std::size_t> begins;
  const std::int64_t offsets[] = {3, -4, 5, 0, -6, 2, -1, 4, -5, 1};
  for (const std::int64_t offset : offsets) {
    begins.push_back(a.size());
    for (int i = 0; i < 50; ++i) {
      a.push_back(100'000 + 100 * offset + i % 3);
      b.push_back(100'000 + i % 5);
    }
  }
  EXPECT_GT(ratio_over_rounds(a, b, begins).interval->upper, 1);
  EXPECT_LT(ratio_over_rounds(a, b, begins).interval->lower, 1);
  EXPECT_NEAR(ratio_over_rounds(a, b, begins).ratio, 1 - 1e-4, 2e-5);
  const RatioEstimate half = ratio_over_rounds(Samples(40, 1), Samples(40, 2),
                                               std::array{std::size_t{0}, std::size_t{20}});
  EXPECT_NEAR(half.ratio, 0.5, kTolerance);
  EXPECT_NEAR(half.interval->upper, 0.5, kTolerance);
  const std::size_t one[] = {0};
  EXPECT_EQ(ratio_over_rounds(a, b, one).interval, paired_ratio(a, b).interval);
  const std::size_t empty[] = {0, 500};
  EXPECT_THROW((void)ratio_over_rounds(a, b, empty), Error);
}

TEST(PairedRatio, RefusesWhatAreNoPairs) {
  EXPECT_THROW((void)paired_ratio(Samples{1}, Samples{1, 2}), Error);
  EXPECT_THROW((void)paired_ratio({}, {}), Error);
}

// Golden numbers: the ends solve (a - r b)^2 = t^2 (sa^2 + r^2 sb^2) by SciPy's brentq.
TEST(RatioOfMeans, AgreesWithSciPy) {
  const MeanEstimate a{101.16666666666667, 0.9457507306074072, 6};
  const MeanEstimate b{111.14285714285714, 0.9110060223670947, 7};
  const RatioEstimate estimate = ratio_of_means(a, b);
  EXPECT_NEAR(estimate.ratio, 0.9102399314481577, kTolerance);
  ASSERT_TRUE(estimate.interval.has_value());
  EXPECT_NEAR(estimate.interval->lower, 0.879673464683668, kTolerance);
  EXPECT_NEAR(estimate.interval->upper, 0.9417254888172641, kTolerance);
  const RatioEstimate backward = ratio_of_means(b, a);
  EXPECT_NEAR(estimate.interval->lower * backward.interval->upper, 1, 0.001);
}

TEST(ProductOfMeans, AddsRelativeErrorsInSquares) {
  const MeanEstimate product = product_of_means({6, 0.06 * 3, 11}, {2, 0.02 * 4, 11});
  EXPECT_DOUBLE_EQ(product.mean, 12);
  EXPECT_NEAR(product.standard_error, 12 * 0.05, kTolerance);  // 3 % and 4 %.
  EXPECT_EQ(product.count, 19U);  // 625 / (81 / 10 + 256 / 10) = 18.5 degrees of freedom.
  EXPECT_EQ(product_of_means({6, 0, 5}, {2, 0, 9}).count, 5U);
  EXPECT_EQ(product_of_means({6, 0.1, 1000}, {2, 0, 0}).count, 0U);
  EXPECT_THROW((void)product_of_means({0, 1, 5}, {2, 1, 5}), Error);
}

TEST(RatioOfMeans, KnowsWhatItDoesNotKnow) {
  EXPECT_FALSE(ratio_of_means({100, 0, 1}, {90, 1, 10}).interval);
  EXPECT_FALSE(ratio_of_means({100, 1, 10}, {90, 60, 10}).interval);  // B may be 0.
  EXPECT_EQ(*ratio_of_means({100, 0, 5}, {50, 0, 5}).interval, (Interval{2, 2}));
  EXPECT_THROW((void)ratio_of_means({0, 1, 5}, {50, 1, 5}), Error);
}

}  // namespace
}  // namespace hedge
