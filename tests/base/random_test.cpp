// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <numeric>
#include <span>
#include <vector>

namespace hedge {
namespace {

TEST(SplitMix64, GivesThePublishedNumbers) {
  SplitMix64 random(1234567);  // Of Rosetta Code, by Vigna's reference implementation.
  for (const std::uint64_t expected :
       {6457827717110365317U, 3203168211198807973U, 9817491932198370423U, 4593380528125082431U,
        16408922859458223821U}) {
    EXPECT_EQ(random.next(), expected);
  }
}

TEST(SplitMix64, UniformIsBelowOne) {
  EXPECT_EQ(unit_of(0), 0);
  EXPECT_EQ(unit_of(~std::uint64_t{0}), 1 - 0x1p-53);
}

TEST(Shuffle, GivesEveryOrderEquallyOften) {
  SplitMix64 random(3);
  std::map<std::array<int, 3>, int> seen;
  for (int i = 0; i < 6000; ++i) {
    std::array values{0, 1, 2};
    shuffle(std::span<int>(values), random);
    ++seen[values];
  }
  ASSERT_EQ(seen.size(), 6U);
  for (const auto& [order, times] : seen) EXPECT_NEAR(times, 1000, 120);  // 4 standard deviations.
}

TEST(Shuffle, AsksForWhatIsLeftFromTheEndOn) {
  std::vector<int> values(5);
  std::iota(values.begin(), values.end(), 0);
  std::vector<std::size_t> asked;
  shuffle_by(std::span(values), [&](std::size_t count) {
    asked.push_back(count);
    return std::size_t{0};
  });
  EXPECT_EQ(asked, (std::vector<std::size_t>{5, 4, 3, 2}));
  EXPECT_EQ(values, (std::vector<int>{1, 2, 3, 4, 0}));
  shuffle_by(std::span(values).first(0), [](std::size_t) -> std::size_t { throw 1; });
}

}  // namespace
}  // namespace hedge
