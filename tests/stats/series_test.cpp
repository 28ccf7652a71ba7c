// SPDX-License-Identifier: Apache-2.0
// Coverage on series whose truth is known. The seeds are fixed, so that nothing here is left to
// chance once it has passed.
#include "stats/series.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "hedge/error.h"
#include "stats/summary.h"

namespace hedge {
namespace {

constexpr double kMean = 1e6;  // Nanoseconds.
constexpr double kStddev = 3e4;
#if defined(__has_feature)
#define HEDGE_HAS_FEATURE(name) __has_feature(name)
#else
#define HEDGE_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HEDGE_HAS_FEATURE(address_sanitizer)
constexpr int kRuns = 1000;  // The sanitizers look at the code, not at the coverage.
#else
constexpr int kRuns = 4000;
#endif

/// AR(1) noise of mean kMean and standard deviation kStddev.
std::vector<std::int64_t> ar1(std::size_t count, double rho, std::mt19937_64& random) {
  // Box and Muller's way, because the standard's distribution differs from library to library.
  const auto uniform = [&] { return (static_cast<double>(random() >> 11U) + 0.5) * 0x1p-53; };
  const auto normal = [&] {
    return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * 3.141592653589793 * uniform());
  };
  std::vector<std::int64_t> series(count);
  double x = normal();
  for (std::int64_t& ns : series) {
    ns = std::llround(kMean + kStddev * x);
    x = rho * x + std::sqrt(1 - rho * rho) * normal();
  }
  return series;
}

struct Case {
  double rho;
  std::size_t count;
};
// 50 correlation times, (1 + rho) / (1 - rho) each, and more.
constexpr Case kCases[] = {{0, 100}, {0, 1000}, {0.5, 150}, {0.5, 1000}, {0.9, 950}, {0.9, 3000}};

TEST(SeriesMean, IntervalsCoverTheTruth) {
  for (const Case& c : kCases) {
    std::mt19937_64 random(1);
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
      std::mt19937_64 random(2);
      int covered = 0;
      int known = 0;
      for (int run = 0; run < kRuns / 2; ++run) {
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
      EXPECT_GT(known, kRuns / 4);
      EXPECT_GE(static_cast<double>(covered) / known, 0.94)
          << "quantile " << quantile << ", rho " << c.rho << ", " << c.count << " samples";
    }
  }
}

TEST(SeriesMean, IsNoWiderThanNeeded) {
  std::mt19937_64 random(3);
  double width = 0;
  for (int run = 0; run < 100; ++run) {
    const auto estimate = mean_of_series(ar1(2000, 0.5, random));
    width += (estimate.interval->upper - estimate.interval->lower) / 100;
  }
  const double best = 2 * 1.96 * kStddev * std::sqrt(3.0 / 2000);
  EXPECT_NEAR(width / best, 1.05, 0.1);
}

TEST(AutocorrelationTime, IsThatOfTheProcess) {
  std::mt19937_64 random(4);
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
  EXPECT_THROW((void)mean_of_series({}), Error);
}

TEST(SeriesQuantiles, OfConstantsAndIndependentSamplesAreThoseOfTheBinomial) {
  const std::vector<std::int64_t> constant(400, 7);
  EXPECT_EQ(quantile_ranks_of_series<std::int64_t>(constant, 7, 0.5), quantile_ranks(400, 0.5));
  std::vector<double> alternating(400);
  for (std::size_t i = 0; i < alternating.size(); ++i) alternating[i] = i % 2 == 0 ? 1 : 2;
  EXPECT_EQ(quantile_ranks_of_series<double>(alternating, 1, 0.5), quantile_ranks(400, 0.5));
  EXPECT_FALSE(quantile_ranks_of_series<double>({}, 1, 0.5));
}

}  // namespace
}  // namespace hedge
