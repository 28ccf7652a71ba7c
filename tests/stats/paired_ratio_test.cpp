// SPDX-License-Identifier: Apache-2.0
#include "stats/paired_ratio.h"

#include <gtest/gtest.h>

#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

constexpr double kTolerance = 1e-9;
using Samples = std::vector<std::int64_t>;

// Golden numbers: NumPy median of a / b, and the interval of SciPy 1.17's quantile_test(p=0.5).
TEST(PairedRatio, AgreesWithSciPy) {
  const Samples a{22072, 21943, 21366, 19835, 21171, 19749, 19235, 22527,
                  19714, 24761, 23663, 18038, 22634, 19729, 22099};
  const Samples b{23257, 18980, 22622, 22571, 25494, 20575, 24929, 20746,
                  22401, 21289, 26766, 24510, 29530, 24691, 25197};
  const RatioEstimate estimate = paired_ratio(a, b);
  EXPECT_EQ(estimate.pairs, 15U);
  EXPECT_NEAR(estimate.ratio, 0.8800499977679568, kTolerance);
  ASSERT_TRUE(estimate.ratio_ci95.has_value());
  EXPECT_NEAR(estimate.ratio_ci95->lower, 0.7990360860232474, kTolerance);
  EXPECT_NEAR(estimate.ratio_ci95->upper, 0.9598541919805589, kTolerance);
}

TEST(PairedRatio, OfSwappedContendersIsTheInverse) {
  const Samples a{100, 210, 330, 405, 520, 600, 777, 801};
  const Samples b{110, 200, 300, 410, 500, 666, 700, 900};
  const RatioEstimate forward = paired_ratio(a, b);
  const RatioEstimate backward = paired_ratio(b, a);
  EXPECT_NEAR(forward.ratio * backward.ratio, 1, kTolerance);
  EXPECT_NEAR(forward.ratio_ci95->lower * backward.ratio_ci95->upper, 1, kTolerance);
}

TEST(PairedRatio, TakesPairsNotSortedSamples) {
  // Drift of a factor of 100 that meets both: the ratio stays 2 throughout.
  const Samples a{2, 20, 200, 2000, 200, 20, 2};
  const Samples b{1, 10, 100, 1000, 100, 10, 1};
  const RatioEstimate estimate = paired_ratio(a, b);
  EXPECT_EQ(estimate.ratio, 2);
  EXPECT_EQ(estimate.ratio_ci95, (Interval{2, 2}));
}

TEST(PairedRatio, BelowTheUnitOfTheClockIsOneNanosecond) {
  const Samples a{0, 0, 4};
  const Samples b{0, 2, 0};
  EXPECT_EQ(paired_ratio(a, b).ratio, 1);
}

TEST(PairedRatio, TooFewPairsHaveNoInterval) {
  EXPECT_FALSE(paired_ratio(Samples(5, 1), Samples(5, 2)).ratio_ci95.has_value());
  EXPECT_TRUE(paired_ratio(Samples(6, 1), Samples(6, 2)).ratio_ci95.has_value());
}

TEST(PairedRatio, RefusesWhatAreNoPairs) {
  EXPECT_THROW((void)paired_ratio(Samples{1}, Samples{1, 2}), Error);
  EXPECT_THROW((void)paired_ratio({}, {}), Error);
}

}  // namespace
}  // namespace hedge
