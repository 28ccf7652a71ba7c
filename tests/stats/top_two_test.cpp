// SPDX-License-Identifier: Apache-2.0
#include "stats/top_two.h"

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

}  // namespace
}  // namespace hedge
