// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/score_features.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "hi/reference_features.h"

namespace hedge {
namespace {

using Scores = std::vector<float>;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

void expect_near(const ScoreFeatures& a, const ScoreFeatures& b, double tolerance) {
  EXPECT_EQ(a.predicted, b.predicted);
  EXPECT_NEAR(a.top1, b.top1, tolerance);
  EXPECT_NEAR(a.top2, b.top2, tolerance);
  EXPECT_NEAR(a.entropy, b.entropy, tolerance);
  EXPECT_EQ(std::isnan(a.energy), std::isnan(b.energy));
  if (!std::isnan(a.energy)) {
    EXPECT_NEAR(a.energy, b.energy, tolerance * (1 + std::abs(b.energy)));
  }
}

void expect_none(const Scores& scores, ScoreKind kind, int predicted) {
  const ScoreFeatures features = score_features(scores, kind);
  EXPECT_EQ(features.predicted, predicted);
  for (const double value :
       {features.top1, features.top2, features.entropy, features.energy, features.margin()}) {
    EXPECT_TRUE(std::isnan(value)) << value;
  }
}

TEST(ScoreFeatures, AgreesWithTheFormulas) {
  std::mt19937_64 random(1);
  for (const std::size_t classes : {2U, 3U, 10U, 17U, 100U, 1000U}) {
    for (const float spread : {0.1F, 1.F, 5.F, 30.F}) {
      for (const double temperature : {1.0, 0.25, 3.0}) {
        SCOPED_TRACE(testing::Message() << classes << " x " << spread << " at " << temperature);
        const Scores logits = test::random_logits(random, classes, spread);
        expect_near(score_features(logits, ScoreKind::kLogits, temperature),
                    test::reference_features(logits, ScoreKind::kLogits, temperature), 1e-12);
        const Scores softmax = test::softmax_of(logits);
        expect_near(score_features(softmax, ScoreKind::kSoftmax, temperature),
                    test::reference_features(softmax, ScoreKind::kSoftmax, temperature), 1e-12);
      }
    }
  }
}

TEST(ScoreFeatures, KnownValues) {
  const ScoreFeatures even = score_features(Scores{3, 3, 3, 3}, ScoreKind::kLogits);
  EXPECT_EQ(even.predicted, 0);  // The lowest class of a tie.
  EXPECT_DOUBLE_EQ(even.top1, 0.25);
  EXPECT_DOUBLE_EQ(even.top2, 0.25);
  EXPECT_EQ(even.margin(), 0);
  EXPECT_DOUBLE_EQ(even.entropy, std::log(4));
  EXPECT_DOUBLE_EQ(even.energy, -3 - std::log(4));
  const ScoreFeatures sure = score_features(Scores{0, 1, 0}, ScoreKind::kSoftmax);
  EXPECT_EQ(sure.predicted, 1);
  EXPECT_EQ(sure.top1, 1);
  EXPECT_EQ(sure.top2, 0);
  EXPECT_EQ(sure.entropy, 0);
  EXPECT_TRUE(std::isnan(sure.energy));
}

TEST(ScoreFeatures, SoftmaxIsAppliedOnce) {
  const Scores softmax = {0.7F, 0.2F, 0.1F};
  EXPECT_EQ(score_features(softmax, ScoreKind::kSoftmax).top1, static_cast<double>(0.7F));
  EXPECT_NEAR(score_features(softmax, ScoreKind::kLogits).top1,
              std::exp(0.7) / (std::exp(0.7) + std::exp(0.2) + std::exp(0.1)), 1e-7);
}

/// Softmax of logits, taken at a temperature, is softmax of logits / temperature.
TEST(ScoreFeatures, TemperatureOfSoftmaxIsThatOfItsLogits) {
  std::mt19937_64 random(2);
  for (const double temperature : {0.5, 1.5, 4.0}) {
    const Scores logits = test::random_logits(random, 10, 3);
    ScoreFeatures of_softmax =
        score_features(test::softmax_of(logits), ScoreKind::kSoftmax, temperature);
    const ScoreFeatures of_logits = score_features(logits, ScoreKind::kLogits, temperature);
    EXPECT_TRUE(std::isnan(of_softmax.energy));
    of_softmax.energy = of_logits.energy;
    expect_near(of_softmax, of_logits, 1e-6);
  }
  EXPECT_EQ(score_features(Scores{1, 0, 0}, ScoreKind::kSoftmax, 2).top1, 1);
  EXPECT_EQ(score_features(Scores{1, 0, 0}, ScoreKind::kSoftmax, 2).top2, 0);
}

/// The original's arg-max begins at 0 and its two largest at -100.
TEST(ScoreFeatures, AllNegativeScores) {
  const ScoreFeatures features = score_features(Scores{-300, -200, -201}, ScoreKind::kLogits);
  EXPECT_EQ(features.predicted, 1);
  EXPECT_NEAR(features.top1, 1 / (1 + std::exp(-1)), 1e-12);
  EXPECT_NEAR(features.top2, std::exp(-1) / (1 + std::exp(-1)), 1e-12);
}

TEST(ScoreFeatures, LargeLogitsDoNotOverflow) {
  const ScoreFeatures features = score_features(Scores{3e38F, -3e38F, 2e38F}, ScoreKind::kLogits);
  EXPECT_EQ(features.top1, 1);
  EXPECT_EQ(features.top2, 0);
  EXPECT_EQ(features.entropy, 0);
  EXPECT_EQ(features.energy, -static_cast<double>(3e38F));
}

TEST(ScoreFeatures, NanIsNoScore) {
  for (const ScoreKind kind : {ScoreKind::kLogits, ScoreKind::kSoftmax}) {
    const ScoreFeatures with = score_features(Scores{kNan, 0.5F, kNan, 0.25F, 0.25F}, kind);
    ScoreFeatures without = score_features(Scores{0.5F, 0.25F, 0.25F}, kind);
    EXPECT_EQ(with.predicted, 1);
    without.predicted = 1;
    expect_near(with, without, 1e-15);
  }
}

TEST(ScoreFeatures, NothingWhereFewerThanTwoAreNumbersOrTheLargestIsInfinite) {
  for (const ScoreKind kind : {ScoreKind::kLogits, ScoreKind::kSoftmax}) {
    expect_none({}, kind, kNoClass);
    expect_none({0.5F}, kind, 0);
    expect_none({kNan, kNan, kNan}, kind, kNoClass);
    expect_none({kNan, 0.5F, kNan}, kind, 1);
    expect_none({0.5F, -kInfinity}, kind, 0);
    expect_none({0.5F, kInfinity, 0.25F}, kind, 1);
    expect_none({kInfinity, kInfinity}, kind, 0);
  }
  // At another temperature softmax scores need one above 0.
  EXPECT_TRUE(std::isnan(score_features(Scores{0, 0}, ScoreKind::kSoftmax, 2).top1));
}

TEST(ScoreFeatures, MinusInfinityIsAProbabilityOfZero) {
  const ScoreFeatures features = score_features(Scores{1, -kInfinity, 1}, ScoreKind::kLogits);
  EXPECT_DOUBLE_EQ(features.top1, 0.5);
  EXPECT_DOUBLE_EQ(features.top2, 0.5);
  EXPECT_DOUBLE_EQ(features.entropy, std::log(2));
}

}  // namespace
}  // namespace hedge
