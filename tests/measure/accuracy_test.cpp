// SPDX-License-Identifier: Apache-2.0
#include "measure/accuracy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
using Scores = std::vector<float>;

TEST(Accuracy, CountsAndTellsTheClass) {
  Accuracy accuracy(3);
  EXPECT_EQ(accuracy.add(1, Scores{0.1F, 0.7F, 0.2F}), 1);
  EXPECT_EQ(accuracy.add(0, Scores{0.1F, 0.7F, 0.2F}), 1);
  EXPECT_EQ(accuracy.add(0, Scores{0.5F, 0.5F, 0.0F}), 0);  // a tie goes to the lowest
  EXPECT_EQ(accuracy.add(1, Scores{0.5F, 0.5F, 0.0F}), 0);
  EXPECT_EQ(accuracy.correct(), 2);
  EXPECT_EQ(accuracy.total(), 4);
  EXPECT_TRUE(accuracy.predictions().empty());
}

TEST(Accuracy, NanIsNeverRight) {
  Accuracy accuracy(2);
  EXPECT_EQ(accuracy.add(0, Scores{kNan, -9}), 1);
  EXPECT_EQ(accuracy.add(0, Scores{kNan, kNan}), -1);
  EXPECT_EQ(accuracy.add(-1, Scores{kNan, kNan}), -1);
  EXPECT_EQ(accuracy.correct(), 0);
  EXPECT_EQ(accuracy.total(), 3);
}

TEST(Accuracy, ResultHasTheWilsonInterval) {
  Accuracy accuracy(2);
  EXPECT_FALSE(accuracy.result().top1.has_value());
  EXPECT_EQ(accuracy.result().total, 0);
  for (int i = 0; i < 10; ++i) accuracy.add(i < 7 ? 0 : 1, Scores{1, 0});
  const AccuracyResult result = accuracy.result();
  EXPECT_DOUBLE_EQ(result.top1.value(), 0.7);
  EXPECT_NEAR(result.top1_ci95.value()[0], 0.39677814746114526, 1e-9);
  EXPECT_NEAR(result.top1_ci95.value()[1], 0.892208732593699, 1e-9);
  EXPECT_EQ(result.correct, 7);
  EXPECT_EQ(result.total, 10);
  EXPECT_FALSE(result.top5.has_value());
}

TEST(Accuracy, KeepsPredictionsOnDemand) {
  Accuracy accuracy(2, {.keep_predictions = true, .expected_images = 3});
  accuracy.add(0, Scores{0, 1});
  accuracy.add(0, Scores{1, 0});
  accuracy.add(0, Scores{kNan, kNan});
  const std::vector<int> predictions(accuracy.predictions().begin(), accuracy.predictions().end());
  EXPECT_EQ(predictions, (std::vector<int>{1, 0, -1}));
}

TEST(Accuracy, Top5FromAThousandClasses) {
  Scores scores(1000);
  std::iota(scores.begin(), scores.end(), 0.0F);  // 999 first, then 998, ...
  Accuracy accuracy(1000);
  for (const int label : {999, 998, 995, 994, 0}) accuracy.add(label, scores);
  EXPECT_EQ(accuracy.correct(), 1);
  EXPECT_EQ(accuracy.correct_top5(), 3);
  EXPECT_DOUBLE_EQ(accuracy.result().top5.value(), 0.6);
  Accuracy small(999);
  small.add(998, std::span(scores).first(999));
  EXPECT_FALSE(small.correct_top5().has_value());
}

TEST(Accuracy, RefusesOtherNumbersOfScores) {
  EXPECT_THROW(Accuracy(0), Error);
  Accuracy accuracy(10);
  EXPECT_THROW(accuracy.add(0, Scores(9)), Error);
  EXPECT_THROW(accuracy.add(0, Scores(20)), Error);
  EXPECT_EQ(accuracy.total(), 0);
}

TEST(AmongTop, AgreesWithAStableSort) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 500; ++round) {
    Scores scores(12);
    for (float& score : scores) {
      const std::uint64_t draw = random() % 8;
      score = draw == 0 ? kNan : static_cast<float>(draw);
    }
    std::vector<int> order;
    for (int i = 0; i < 12; ++i) {
      if (!std::isnan(scores[static_cast<std::size_t>(i)])) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
    });
    order.resize(std::min<std::size_t>(order.size(), 5));
    for (int label = -1; label <= 12; ++label) {
      const bool expected = std::find(order.begin(), order.end(), label) != order.end();
      ASSERT_EQ(among_top(scores, label, 5), expected) << "round " << round << " label " << label;
    }
  }
}

}  // namespace
}  // namespace hedge
