// SPDX-License-Identifier: Apache-2.0
// Coverage on series whose truth is known. The seeds are fixed, so that nothing here is left to
// chance once it has passed.
#include "stats/series.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "hedge/error.h"
#include "stats/summary.h"
#include "support/series.h"

namespace hedge {
namespace {

constexpr double kMean = 1e6;  // Nanoseconds.
constexpr double kStddev = 3e4;
constexpr int kRuns = kSimulatedRuns;

/// AR(1) noise of mean kMean and standard deviation kStddev.
std::vector<std::int64_t> ar1(std::size_t count, double rho, NormalNoise& random) {
  return rounded(ar1_series(count, rho, kMean, kStddev, random));
}

struct Case {
  double rho;
  std::size_t count;
};
// 50 correlation times, (1 + rho) / (1 - rho) each, and more.
constexpr Case kCases[] = {{0, 100}, {0, 1000}, {0.5, 150}, {0.5, 1000}, {0.9, 950}, {0.9, 3000}};

TEST(SeriesMean, IntervalsCoverTheTruth) {
  for (const Case& c : kCases) {
    NormalNoise random(1);
    int covered = 0;
    for (int run = 0; run < kRuns; ++run) {
      const auto interval = mean_of_series(ar1(c.count, c.rho, random)).interval;
      covered += interval->lower <= kMean && kMean <= interval->upper ? 1 : 0;
    }
    const double share = static_cast<double>(covered) / kRuns;
    EXPECT_GE(share, 0.93) << "rho " << c.rho << ", " << c.count << " samples";
    EXPECT_LE(share, 0.97) << "rho " << c.rho << ", " << c.count << " samples";
  }
}

TEST(SeriesQuantiles, IntervalsCoverTheTruth) {
  const std::pair<double, double> kQuantiles[] = {{0.5, 0}, {0.9, 1.2815515655446004}};
  for (const Case& c : kCases) {
    for (const auto& [quantile, z] : kQuantiles) {
      NormalNoise random(2);
      int covered = 0;
      int known = 0;
      for (int run = 0; run < kRuns; ++run) {
        const auto series = ar1(c.count, c.rho, random);
        auto sorted = series;
        std::sort(sorted.begin(), sorted.end());
        const auto ranks = quantile_ranks_of_series<std::int64_t>(
            series, percentile(sorted, quantile * 100), quantile);
        if (!ranks) continue;
        ++known;
        const double truth = kMean + kStddev * z;
        covered += static_cast<double>(sorted[ranks->lower - 1]) <= truth &&
                           truth <= static_cast<double>(sorted[ranks->upper - 1])
                       ? 1
                       : 0;
      }
      EXPECT_GT(known, kRuns / 2);
      EXPECT_GE(static_cast<double>(covered) / known, 0.94)
          << "quantile " << quantile << ", rho " << c.rho << ", " << c.count << " samples";
    }
  }
}

TEST(SeriesMean, IsNoWiderThanNeeded) {
  NormalNoise random(3);
  double width = 0;
  for (int run = 0; run < 100; ++run) {
    const auto estimate = mean_of_series(ar1(2000, 0.5, random));
    width += (estimate.interval->upper - estimate.interval->lower) / 100;
  }
  const double best = 2 * 1.96 * kStddev * std::sqrt(3.0 / 2000);
  EXPECT_NEAR(width / best, 1.05, 0.1);
}

TEST(AutocorrelationTime, IsThatOfTheProcess) {
  NormalNoise random(4);
  for (const double rho : {0.0, 0.5, 0.9}) {
    const auto ns = ar1(200'000, rho, random);
    const std::vector<double> series(ns.begin(), ns.end());
    EXPECT_NEAR(autocorrelation_time(series) / ((1 + rho) / (1 - rho)), 1, 0.1) << rho;
    EXPECT_NEAR(mean_of_series(ns).autocorrelation_time / ((1 + rho) / (1 - rho)), 1, 0.15) << rho;
  }
  EXPECT_EQ(autocorrelation_time(std::vector<double>(50, 7.0)), 1);
  EXPECT_EQ(autocorrelation_time(std::vector<double>{1, -1, 1, -1, 1, -1}), 1);
  EXPECT_EQ(autocorrelation_time(std::vector<double>{3}), 1);
}

TEST(SeriesMean, OfFewSamplesIsStudents) {
  const std::vector<std::int64_t> few{10, 12, 9, 15};
  const auto estimate = mean_of_series(few);
  EXPECT_DOUBLE_EQ(estimate.mean, 11.5);
  EXPECT_EQ(*estimate.interval, *mean_interval(11.5, std::sqrt(21.0 / 3), 4));
  EXPECT_FALSE(mean_of_series(std::vector<std::int64_t>{5}).interval);
  EXPECT_THROW((void)mean_of_series(std::vector<std::int64_t>{}), Error);
}

TEST(SeriesQuantiles, OfConstantsAndIndependentSamplesAreThoseOfTheBinomial) {
  const std::vector<std::int64_t> constant(400, 7);
  EXPECT_EQ(quantile_ranks_of_series<std::int64_t>(constant, 7, 0.5), quantile_ranks(400, 0.5));
  std::vector<double> alternating(400);
  for (std::size_t i = 0; i < alternating.size(); ++i) alternating[i] = i % 2 == 0 ? 1 : 2;
  EXPECT_EQ(quantile_ranks_of_series<double>(alternating, 1, 0.5), quantile_ranks(400, 0.5));
  EXPECT_FALSE(quantile_ranks_of_series<double>({}, 1, 0.5));
}

TEST(IndependentSamples, AreFewerWhereSamplesHangTogether) {
  NormalNoise random(8);
  EXPECT_NEAR(static_cast<double>(
                  independent_samples<std::int64_t>(ar1(4000, 0, random), std::int64_t{1'000'000})),
              4000, 400);
  // Signs of AR(1) noise correlate by 2 / pi * asin(rho^lag): summed up a time of 12.8.
  EXPECT_NEAR(static_cast<double>(independent_samples<std::int64_t>(ar1(40'000, 0.9, random),
                                                                    std::int64_t{1'000'000})),
              40'000 / 12.8, 500);
  EXPECT_EQ(independent_samples<double>({}, 1.0), 0U);
  EXPECT_EQ(independent_samples<double>(std::vector<double>(30, 2.0), 2.0), 30U);
}

TEST(StretchedRanks, EncloseTheSameShare) {
  EXPECT_EQ(stretched_quantile_ranks(1000, 1000, 0.5), quantile_ranks(1000, 0.5));
  const auto few = *quantile_ranks(100, 0.5);
  const auto stretched = *stretched_quantile_ranks(1000, 100, 0.5);
  EXPECT_EQ(stretched.lower, (few.lower - 1) * 10 + 1);
  EXPECT_EQ(stretched.upper, few.upper * 10);
  EXPECT_FALSE(stretched_quantile_ranks(1000, 5, 0.5));
  EXPECT_EQ(stretched_upper_rank(640, 64, 0.9), 630U);
  EXPECT_EQ(stretched_upper_rank(64, 64, 0.9), 63U);
  EXPECT_FALSE(stretched_upper_rank(1000, 63, 0.9));
}

}  // namespace
}  // namespace hedge
