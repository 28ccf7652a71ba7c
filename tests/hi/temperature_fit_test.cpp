// SPDX-License-Identifier: Apache-2.0
#include "hi/fit/temperature_fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::size_t kClasses = 5;

struct Labelled {
  RecordedScores scores{.values = {}, .columns = kClasses};
  std::vector<int> labels;
  [[nodiscard]] TemperatureFit fit(ScoreKind kind = ScoreKind::kLogits) const {
    std::vector<std::size_t> images(labels.size());
    std::iota(images.begin(), images.end(), 0);
    return fit_temperature(scores, kind, labels, images);
  }
};

/// Labels drawn from softmax(logits), the logits then multiplied: an over-confident model.
Labelled over_confident(float factor, int images) {
  std::mt19937_64 random(8);
  std::normal_distribution<float> normal(0, 2);
  Labelled data;
  for (int image = 0; image < images; ++image) {
    std::vector<double> weights;
    for (std::size_t i = 0; i < kClasses; ++i) {
      const float logit = normal(random);
      weights.push_back(std::exp(static_cast<double>(logit)));
      data.scores.values.push_back(factor * logit);
    }
    data.labels.push_back(std::discrete_distribution<int>(weights.begin(), weights.end())(random));
  }
  return data;
}

double nll(const Labelled& data, double temperature) {
  double sum = 0;
  for (std::size_t i = 0; i < data.labels.size(); ++i) {
    const auto row = data.scores.row(i);
    double total = 0;
    for (const float logit : row) total += std::exp(static_cast<double>(logit) / temperature);
    const auto label = static_cast<std::size_t>(data.labels[i]);
    sum += std::log(total) - static_cast<double>(row[label]) / temperature;
  }
  return sum / static_cast<double>(data.labels.size());
}

TEST(TemperatureFit, FindsTheFactorOfTheLogits) {
  for (const float factor : {0.4F, 1.0F, 3.0F}) {
    const TemperatureFit fit = over_confident(factor, 20'000).fit();
    EXPECT_NEAR(fit.temperature, static_cast<double>(factor), 0.03 * static_cast<double>(factor));
    EXPECT_LE(fit.nll, fit.nll_before);
  }
}

TEST(TemperatureFit, NothingNearItIsLikelier) {
  const Labelled data = over_confident(3, 500);
  const TemperatureFit fit = data.fit();
  EXPECT_NEAR(fit.nll, nll(data, fit.temperature), 1e-10);
  EXPECT_NEAR(fit.nll_before, nll(data, 1), 1e-10);
  // A golden-section search of the slow formula, as near as its flat bottom lets it come.
  double low = 0.5;
  double high = 10;
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  while (high - low > 1e-7) {
    const double left = high - ratio * (high - low);
    const double right = low + ratio * (high - low);
    (nll(data, left) < nll(data, right) ? high : low) =
        nll(data, left) < nll(data, right) ? right : left;
  }
  EXPECT_NEAR(fit.temperature, low, 1e-6);
}

TEST(TemperatureFit, SoftmaxScoresAreLogitsByTheirLogarithm) {
  Labelled data = over_confident(3, 500);
  const double expected = data.fit().temperature;
  for (std::size_t i = 0; i < data.labels.size(); ++i) {
    double sum = 0;
    const auto row = std::span(data.scores.values).subspan(i * kClasses, kClasses);
    for (const float logit : row) sum += std::exp(static_cast<double>(logit));
    for (float& score : row) {
      score = static_cast<float>(std::exp(static_cast<double>(score)) / sum);
    }
  }
  EXPECT_NEAR(data.fit(ScoreKind::kSoftmax).temperature, expected, 1e-4);
  data.scores.values[static_cast<std::size_t>(data.labels[0])] = 0;  // Underflow.
  EXPECT_TRUE(std::isfinite(data.fit(ScoreKind::kSoftmax).nll_before));
}

TEST(TemperatureFit, ScoresThatAreNoNumbersAreLeftOut) {
  Labelled data = over_confident(3, 500);
  const Labelled clean = data;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  data.scores.values.insert(data.scores.values.end(), {nan, 1, 2, 3, 4, 9, 1, 2, 3, 4});
  data.labels.insert(data.labels.end(), {0, 5});
  EXPECT_THROW((void)data.fit(), Error);  // Class 5 of 5.
  data.labels.back() = 4;
  data.scores.values[data.scores.values.size() - 1] = -std::numeric_limits<float>::infinity();
  const TemperatureFit fit = data.fit();
  EXPECT_EQ(fit.left_out, 2U);
  EXPECT_DOUBLE_EQ(fit.temperature, clean.fit().temperature);
}

TEST(TemperatureFit, WithoutMinimumIsExplained) {
  Labelled right;
  right.scores.values = std::vector<float>{5, 0, 0, 0, 0, 0, 4, 0, 0, 0};
  right.labels = {0, 1};
  Labelled wrong = right;
  wrong.labels = {1, 0};
  const auto message = [](const Labelled& data) -> std::string {
    try {
      (void)data.fit();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message(right).find("every answer right"), std::string::npos);
  Labelled alike = right;
  alike.scores.values.assign(10, 2.5F);
  EXPECT_NE(message(alike).find("all scores alike"), std::string::npos);
  EXPECT_NE(message(wrong).find("less than guessing"), std::string::npos);
  EXPECT_NE(message(Labelled{}).find("no image"), std::string::npos);
}

}  // namespace
}  // namespace hedge
