// SPDX-License-Identifier: Apache-2.0
#include "stats/change_points.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "support/series.h"

namespace hedge {
namespace {

/// Median over runs of the estimate over the truth.
double typical_ratio(double rho, double step, double slope) {
  NormalNoise random(5);
  std::vector<double> ratios;
  for (int run = 0; run < 101; ++run) {
    auto series = ar1_series(400, rho, 100, 1, random);
    for (std::size_t i = 0; i < series.size(); ++i) {
      series[i] += (i >= 150 ? step : 0) + slope * static_cast<double>(i);
    }
    ratios.push_back(local_noise(series).long_run_stddev / std::sqrt((1 + rho) / (1 - rho)));
  }
  std::nth_element(ratios.begin(), ratios.begin() + 50, ratios.end());
  return ratios[50];
}

TEST(LocalNoise, IsTheLongRunStandardDeviation) {
  for (const double rho : {0.0, 0.5, 0.8}) EXPECT_NEAR(typical_ratio(rho, 0, 0), 1, 0.15) << rho;
}

TEST(LocalNoise, LeavesOutWhatNeighboursHaveInCommon) {
  // Without the extrapolation it is 0.87 to 0.89 of the truth.
  constexpr int kRuns = 400;
  for (const double rho : {0.5, 0.8}) {
    NormalNoise random(5);
    double squares = 0;
    for (int run = 0; run < kRuns; ++run) {
      const double found = local_noise(ar1_series(400, rho, 100, 1, random)).long_run_stddev;
      squares += found * found / kRuns;
    }
    EXPECT_NEAR(std::sqrt(squares * (1 - rho) / (1 + rho)), 1, 0.09) << rho;
  }
}

TEST(LocalNoise, TakesNeitherStepsNorSlopesForNoise) {
  // A variance would be 5 times and 3 times as large.
  for (const double rho : {0.0, 0.5, 0.8}) {
    EXPECT_NEAR(typical_ratio(rho, 10, 0), 1, 0.2) << rho;
    EXPECT_NEAR(typical_ratio(rho, 0, 0.025), 1, 0.2) << rho;
  }
}

TEST(LocalNoise, OfAlmostNothingIsNone) {
  EXPECT_EQ(local_noise({}).long_run_stddev, 0);
  EXPECT_EQ(local_noise(std::vector<double>{1, 2}).long_run_stddev, 0);
  EXPECT_EQ(local_noise(std::vector<double>(50, 3.0)).long_run_stddev, 0);
}

TEST(LinearTrend, IsThatOfLeastSquares) {
  // numpy.polyfit(range(5), [1, 3, 2, 5, 4], 1) is 0.8; the score of it by hand.
  const std::vector<double> series{1, 3, 2, 5, 4};
  const Trend trend = linear_trend(series, {.long_run_stddev = 2, .batch = 1});
  EXPECT_NEAR(trend.change, 3.2, 1e-12);
  EXPECT_NEAR(trend.score, 0.8 / (2 / std::sqrt(10.0)), 1e-12);
  EXPECT_EQ(linear_trend(std::vector<double>{1, 2}, {}).change, 0);
}

TEST(LinearTrend, ScoresOfNoiseAreStandardNormal) {
  NormalNoise random(6);
  double squares = 0;
  constexpr int kRuns = 2000;
  for (int run = 0; run < kRuns; ++run) {
    const auto series = ar1_series(400, 0.5, 100, 1, random);
    const double score = linear_trend(series, {std::sqrt(3.0), 4}).score;
    squares += score * score / kRuns;
  }
  EXPECT_NEAR(squares, 1, 0.1);
}

std::vector<double> stairs(const std::vector<double>& levels, std::size_t length) {
  std::vector<double> series;
  for (const double level : levels) series.insert(series.end(), length, level);
  return series;
}

TEST(ChangePoints, AreWhereTheLevelSteps) {
  const LocalNoise noise{.long_run_stddev = 0.1, .batch = 1};
  EXPECT_EQ(change_points(stairs({1, 2}, 50), noise, 4, 0.5), (std::vector<std::size_t>{50}));
  EXPECT_EQ(change_points(stairs({1, 2, 1, 3}, 40), noise, 4, 0.5),
            (std::vector<std::size_t>{40, 80, 120}));
  EXPECT_TRUE(change_points(stairs({1, 1}, 50), noise, 4, 0.5).empty());
}

TEST(ChangePoints, NeedTheirSizeAndTheirScore) {
  const auto series = stairs({1, 2}, 50);
  EXPECT_TRUE(change_points(series, {.long_run_stddev = 0.1, .batch = 1}, 4, 1.5).empty());
  // One over sqrt(1/50 + 1/50) is 5 standard errors of noise 1.
  EXPECT_EQ(change_points(series, {.long_run_stddev = 1, .batch = 1}, 4.9, 0.5).size(), 1U);
  EXPECT_TRUE(change_points(series, {.long_run_stddev = 1, .batch = 1}, 5.1, 0.5).empty());
}

TEST(ChangePoints, StayABatchAwayFromTheEndsAndEachOther) {
  std::vector<double> series(100, 1.0);
  series[0] = series[99] = 50;
  EXPECT_FALSE(change_points(series, {.long_run_stddev = 0.1, .batch = 1}, 4, 0.5).empty());
  for (const std::size_t at : change_points(series, {.long_run_stddev = 0.1, .batch = 8}, 4, 0.5)) {
    EXPECT_GE(at, 8U);
    EXPECT_LE(at, 92U);
  }
  EXPECT_TRUE(change_points(std::vector<double>{1}, {}, 4, 0.5).empty());
  EXPECT_TRUE(change_points({}, {}, 4, 0.5).empty());
}

}  // namespace
}  // namespace hedge
