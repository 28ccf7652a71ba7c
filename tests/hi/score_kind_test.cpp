// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>
#include <utility>
#include <vector>

#include "data/scores_file.h"
#include "hi/decide/score_features.h"

namespace hedge {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

ScoreKind kind(std::vector<float> values) {
  return score_kind_of({.values = std::move(values), .columns = 2});
}

TEST(ScoreKindOf, RowsThatSumToOneAreSoftmax) {
  EXPECT_EQ(kind({0.25F, 0.75F, 1, 0}), ScoreKind::kSoftmax);
  EXPECT_EQ(kind({0.25F, 0.7509F, -0.0F, 1}), ScoreKind::kSoftmax);  // Rounded to three digits.
}

TEST(ScoreKindOf, OneRowThatCannotBeSoftmaxMakesThemLogits) {
  EXPECT_EQ(kind({0.25F, 0.75F, 1.5F, -0.5F}), ScoreKind::kLogits);  // The sum is 1 all the same.
  EXPECT_EQ(kind({0.25F, 0.75F, 0.25F, 0.77F}), ScoreKind::kLogits);
  EXPECT_EQ(kind({0, 0}), ScoreKind::kLogits);
  EXPECT_EQ(kind({-kInfinity, 1}), ScoreKind::kLogits);
  EXPECT_EQ(kind({kInfinity, 0}), ScoreKind::kLogits);
}

TEST(ScoreKindOf, SumsOfRowsWithNanSayNothing) {
  EXPECT_EQ(kind({kNan, 0.5F, 0.25F, 0.75F}), ScoreKind::kSoftmax);
  EXPECT_EQ(kind({kNan, -0.5F, 0.25F, 0.75F}), ScoreKind::kLogits);
  EXPECT_EQ(kind({kNan, kNan}), ScoreKind::kLogits);
  EXPECT_EQ(kind({}), ScoreKind::kLogits);
}

}  // namespace
}  // namespace hedge
