// SPDX-License-Identifier: Apache-2.0
// Against scikit-learn (tools/make_fit_goldens.py), against slow formulas, and where they end.
#include "stats/calibration_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "hedge/error.h"
#include "stats/isotonic.h"

namespace hedge {
namespace {

constexpr double kTolerance = 1e-9;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Sample {
  std::vector<double> probabilities;
  std::vector<Outcome> outcomes;
  [[nodiscard]] Forecasts forecasts() const { return {probabilities, outcomes}; }
};

const nlohmann::json& goldens() {
  static const nlohmann::json json = nlohmann::json::parse(
      read_text_file(HEDGE_SOURCE_DIR "/tests/stats/calibration_goldens.json"))["forecasts"];
  return json;
}

Sample sample_of(const nlohmann::json& golden) {
  return {golden["probabilities"].get<std::vector<double>>(),
          golden["outcomes"].get<std::vector<Outcome>>()};
}

/// Probabilities with ties, of events that come about as often as they say.
Sample random_sample(std::uint64_t seed, int count) {
  std::mt19937_64 random(seed);
  Sample sample;
  for (int i = 0; i < count; ++i) {
    const double p = static_cast<double>(random() % 40) / 40;
    sample.probabilities.push_back(p);
    sample.outcomes.push_back(static_cast<double>(random() % 1000) < p * 1000 ? 1 : 0);
  }
  return sample;
}

TEST(CalibrationGoldens, MetricsAreScikitLearns) {
  ASSERT_EQ(goldens().size(), 6U);
  for (const auto& golden : goldens()) {
    const Sample sample = sample_of(golden);
    EXPECT_NEAR(roc_auc(sample.forecasts()).value(), golden["auc"].get<double>(), kTolerance);
    EXPECT_NEAR(brier_score(sample.forecasts()), golden["brier"].get<double>(), kTolerance);
    EXPECT_NEAR(log_loss(sample.forecasts()), golden["log_loss"].get<double>(), kTolerance);
  }
}

TEST(CalibrationGoldens, BinsAreScikitLearns) {
  for (const auto& golden : goldens()) {
    const Sample sample = sample_of(golden);
    for (const auto& curve : golden["curves"]) {
      const bool uniform = curve["strategy"] == "uniform";
      const std::string what = std::to_string(sample.outcomes.size()) + " samples, " +
                               curve["strategy"].dump() + " " + curve["bins"].dump();
      const auto bins = reliability_bins(sample.forecasts(), curve["bins"],
                                         uniform ? Binning::kEqualWidth : Binning::kQuantiles);
      ASSERT_EQ(bins.size(), curve["bins"].get<std::size_t>());
      std::size_t full = 0;
      for (const ReliabilityBin& bin : bins) {
        if (bin.count == 0) continue;  // Which scikit-learn leaves out.
        ASSERT_LT(full, curve["count"].size()) << what;
        EXPECT_EQ(bin.count, curve["count"][full].get<std::int64_t>()) << what;
        EXPECT_NEAR(bin.mean_probability, curve["mean"][full].get<double>(), kTolerance) << what;
        EXPECT_NEAR(bin.frequency, curve["frequency"][full].get<double>(), kTolerance) << what;
        ++full;
      }
      EXPECT_EQ(full, curve["count"].size()) << what;
      EXPECT_NEAR(expected_calibration_error(bins), curve["ece"].get<double>(), kTolerance) << what;
    }
  }
}

TEST(CalibrationGoldens, IsotonicIsScikitLearns) {
  for (const auto& golden : goldens()) {
    const Sample sample = sample_of(golden);
    const IsotonicFit fit = fit_isotonic(sample.forecasts());
    const auto& isotonic = golden["isotonic"];
    for (std::size_t i = 0; i < isotonic["at"].size(); ++i) {
      EXPECT_NEAR(fit(isotonic["at"][i]), isotonic["value"][i].get<double>(), kTolerance);
    }
    for (std::size_t i = 0; i < sample.outcomes.size(); ++i) {
      EXPECT_NEAR(fit(sample.probabilities[i]), isotonic["fitted"][i].get<double>(), kTolerance);
    }
  }
}

TEST(RocAuc, IsTheShareOfPairsInTheRightOrder) {
  for (std::uint64_t seed = 1; seed < 30; ++seed) {
    const Sample sample = random_sample(seed, 60);
    double right = 0;
    double pairs = 0;
    for (std::size_t i = 0; i < sample.outcomes.size(); ++i) {
      for (std::size_t j = 0; j < sample.outcomes.size(); ++j) {
        if (sample.outcomes[i] != 1 || sample.outcomes[j] != 0) continue;
        const double difference = sample.probabilities[i] - sample.probabilities[j];
        right += difference > 0 ? 1 : difference == 0 ? 0.5 : 0;
        ++pairs;
      }
    }
    EXPECT_NEAR(roc_auc(sample.forecasts()).value(), right / pairs, 1e-14) << seed;
  }
}

TEST(RocAuc, EndsAndTies) {
  const std::vector<Outcome> outcomes{0, 0, 1, 1};
  const auto auc = [&](std::vector<double> scores) { return roc_auc({scores, outcomes}); };
  EXPECT_EQ(auc({1, 2, 3, 4}), 1);
  EXPECT_EQ(auc({4, 3, 2, 1}), 0);
  EXPECT_EQ(auc({5, 5, 5, 5}), 0.5);
  EXPECT_EQ(auc({-kInfinity, 0, 1e300, kInfinity}), 1);
  EXPECT_THROW((void)auc({1, 2, kNan, 4}), Error);
  const std::vector<double> scores{0.25, 0.5};
  const std::vector<Outcome> alike{1, 1};
  EXPECT_FALSE(roc_auc({scores, alike}));
}

TEST(LogLoss, ACertaintyThatIsWrongHasAPrice) {
  const std::vector<double> certain{1, 0};
  const std::vector<Outcome> wrong{0, 1};
  const std::vector<Outcome> right{1, 0};
  EXPECT_NEAR(log_loss({certain, wrong}), 52 * std::log(2), 1e-9);
  EXPECT_NEAR(log_loss({certain, right}), 0, 1e-15);
}

TEST(ReliabilityBins, EdgesBelongToTheBinBelow) {
  const std::vector<double> p{0, 0.25, 0.25, 0.5, 0.75, 1};
  const std::vector<Outcome> outcomes{0, 0, 1, 1, 1, 1};
  const auto bins = reliability_bins({p, outcomes}, 4, Binning::kEqualWidth);
  ASSERT_EQ(bins.size(), 4U);
  EXPECT_EQ(bins[0].count, 3);
  EXPECT_EQ(bins[1].count, 1);
  EXPECT_EQ(bins[3].count, 1);
  EXPECT_DOUBLE_EQ(bins[0].mean_probability, 0.5 / 3);
  EXPECT_DOUBLE_EQ(bins[0].frequency, 1.0 / 3);
  EXPECT_DOUBLE_EQ(bins[1].lower, 0.25);
  EXPECT_DOUBLE_EQ(expected_calibration_error(bins), (3 * (0.5 / 3) + 0.5 + 0.25 + 0) / 6);
}

TEST(ReliabilityBins, QuantilesNeverPartTies) {
  const std::vector<double> p{0.5, 0.5, 0.5, 0.5, 0.9};
  const std::vector<Outcome> outcomes{0, 1, 0, 1, 1};
  const auto bins = reliability_bins({p, outcomes}, 3, Binning::kQuantiles);
  std::int64_t most = 0;
  for (const ReliabilityBin& bin : bins) most = std::max(most, bin.count);
  EXPECT_EQ(most, 4);
}

TEST(CalibrationMetrics, RefuseWhatIsNoForecast) {
  const std::vector<Outcome> one{1};
  for (const double p : {-0.1, 1.1, kNan}) {
    const std::vector<double> bad{p};
    EXPECT_THROW((void)brier_score({bad, one}), Error);
    EXPECT_THROW((void)log_loss({bad, one}), Error);
    EXPECT_THROW((void)reliability_bins({bad, one}, 10, Binning::kEqualWidth), Error);
  }
  const std::vector<double> two{0.5, 0.5};
  EXPECT_THROW((void)brier_score({two, one}), Error);
  EXPECT_THROW((void)roc_auc({{}, {}}), Error);
  EXPECT_THROW((void)fit_isotonic({two, one}), Error);
  EXPECT_THROW((void)fit_isotonic({{}, {}}), Error);
  const std::vector<double> half{0.5};
  EXPECT_THROW((void)reliability_bins({half, one}, 0, Binning::kEqualWidth), Error);
  const std::vector<double> infinite{kInfinity};
  EXPECT_THROW((void)fit_isotonic({infinite, one}), Error);
}

/// No other non-decreasing function of the scores is nearer: max-min formula of isotonic
/// regression.
TEST(Isotonic, IsTheMaxMinOfMeans) {
  const Sample sample = random_sample(3, 120);
  const IsotonicFit fit = fit_isotonic(sample.forecasts());
  const auto mean = [&](double from, double to) {
    double sum = 0;
    double count = 0;
    for (std::size_t i = 0; i < sample.outcomes.size(); ++i) {
      if (sample.probabilities[i] < from || sample.probabilities[i] > to) continue;
      sum += sample.outcomes[i];
      ++count;
    }
    return sum / count;
  };
  for (const double at : sample.probabilities) {
    double best = -1;
    for (const double from : sample.probabilities) {
      if (from > at) continue;
      double least = 2;
      for (const double to : sample.probabilities) {
        if (to >= at) least = std::min(least, mean(from, to));
      }
      best = std::max(best, least);
    }
    EXPECT_NEAR(fit(at), best, 1e-12) << at;
  }
}

TEST(Isotonic, LeastScoreIsWhereTheProbabilityIsReached) {
  const Sample sample = random_sample(5, 400);
  const IsotonicFit fit = fit_isotonic(sample.forecasts());
  for (const double p : {0.1, 0.3, 0.5, 0.77}) {
    const double score = fit.least_score(p).value();
    EXPECT_GE(fit(score), p);
    EXPECT_LT(fit(score - 1e-9), p);
  }
  EXPECT_EQ(fit.least_score(0), -kInfinity);
  EXPECT_FALSE(fit.least_score(1.1));
  const IsotonicFit corners{.scores = {1, 2, 4}, .probabilities = {0.25, 0.25, 0.75}};
  EXPECT_DOUBLE_EQ(corners.least_score(0.5).value(), 3);
  EXPECT_TRUE(std::isnan(corners(kNan)));
}

}  // namespace
}  // namespace hedge
