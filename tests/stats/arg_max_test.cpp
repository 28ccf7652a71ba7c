// SPDX-License-Identifier: Apache-2.0
#include "stats/arg_max.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace hedge {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
using Scores = std::vector<float>;

int slow_arg_max(const Scores& scores) {
  int best = kNoClass;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) continue;
    if (best == kNoClass || scores[i] > scores[static_cast<std::size_t>(best)]) {
      best = static_cast<int>(i);
    }
  }
  return best;
}

TEST(ArgMax, SmallCases) {
  EXPECT_EQ(arg_max(Scores{}), kNoClass);
  EXPECT_EQ(arg_max(Scores{-3}), 0);
  EXPECT_EQ(arg_max(Scores{1, 3, 2}), 1);
  EXPECT_EQ(arg_max(Scores{1, 3, 3}), 1);
  EXPECT_EQ(arg_max(Scores{-5, -4, -4, -9}), 1);
  EXPECT_EQ(arg_max(Scores{-0.0F, 0.0F}), 0);
}

TEST(ArgMax, NanNeverWins) {
  EXPECT_EQ(arg_max(Scores{kNan, 1, 2}), 2);
  EXPECT_EQ(arg_max(Scores{2, kNan, 1}), 0);
  EXPECT_EQ(arg_max(Scores{kNan, -kInfinity}), 1);
  EXPECT_EQ(arg_max(Scores{-kNan, kNan}), kNoClass);
  EXPECT_EQ(arg_max(Scores(100, kNan)), kNoClass);
}

TEST(ArgMax, InfinitiesAreScores) {
  EXPECT_EQ(arg_max(Scores{1, kInfinity, kInfinity}), 1);
  EXPECT_EQ(arg_max(Scores(40, -kInfinity)), 0);
}

TEST(ArgMax, AgreesWithTheSlowOneAtEveryLengthAndPlace) {
  std::mt19937_64 random(1);
  for (std::size_t size = 1; size <= 70; ++size) {
    for (int round = 0; round < 200; ++round) {
      Scores scores(size);
      for (float& score : scores) {
        const std::uint64_t draw = random() % 12;  // few values: many ties
        score = draw == 0 ? kNan : draw == 1 ? -kInfinity : static_cast<float>(draw) - 7;
      }
      ASSERT_EQ(arg_max(scores), slow_arg_max(scores)) << "size " << size << " round " << round;
    }
  }
}

TEST(ArgMax, FindsTheLoneWinnerAnywhereInAThousand) {
  Scores scores(1000, 0.25F);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    scores[i] = 0.5F;
    ASSERT_EQ(arg_max(scores), static_cast<int>(i));
    scores[i] = 0.25F;
  }
}

}  // namespace
}  // namespace hedge
