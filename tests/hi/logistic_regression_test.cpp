// SPDX-License-Identifier: Apache-2.0
#include "hi/logistic_regression.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

namespace hedge {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
using Scores = std::vector<float>;

TEST(TopTwo, AgreesWithSorting) {
  std::mt19937 random(7);
  for (std::size_t size = 2; size < 70; ++size) {
    Scores scores(size);
    for (float& score : scores)
      score = static_cast<float>(random() % 30) - 20;  // With ties, below zero too.
    if (size > 4) scores[random() % size] = kNan;
    Scores sorted = scores;
    std::erase_if(sorted, [](float score) { return std::isnan(score); });
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    const TopTwo top = top_two(scores);
    EXPECT_EQ(top.first, sorted[0]) << size;
    EXPECT_EQ(top.second, sorted[1]) << size;
  }
}

TEST(LogisticRegression, IsTheFormula) {
  const LogisticRegression decision{.beta = -1, .w1 = 3, .w2 = -2};
  const Scores scores = {0.125F, 0.5F, 0.25F, 0.125F};
  EXPECT_DOUBLE_EQ(decision.logit(scores), -1 + 1.5 - 0.5);
  EXPECT_DOUBLE_EQ(decision.score(scores), 0.5);
  EXPECT_TRUE(decision.keep(scores));  // p = 1/2 is kept.
  EXPECT_FALSE(decision.keep(Scores{0.25F, 0.25F, 0.25F, 0.25F}));
}

TEST(LogisticRegression, OfTheOriginalOnEasyAndDoubtfulScores) {
  const LogisticRegression decision;
  EXPECT_NEAR(decision.score(Scores{0.99F, 0.01F, 0, 0}),
              1 / (1 + std::exp(-(-4.531622904031753 + 5.82555453 * 0.99 - 3.59687685 * 0.01))),
              1e-6);
  EXPECT_TRUE(decision.keep(Scores{0.99F, 0.01F, 0, 0}));
  EXPECT_FALSE(decision.keep(Scores{0.6F, 0.4F, 0, 0}));
}

TEST(LogisticRegression, NeverTrustsWhatIsNoNumber) {
  const LogisticRegression decision;
  for (const Scores& scores : {Scores{}, Scores{1}, Scores{1, kNan}, Scores(20, kNan)}) {
    EXPECT_TRUE(std::isnan(decision.score(scores)));
    EXPECT_FALSE(decision.keep(scores));
  }
}

}  // namespace
}  // namespace hedge
