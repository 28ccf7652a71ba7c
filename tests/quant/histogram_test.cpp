// SPDX-License-Identifier: Apache-2.0
#include "quant/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace hedge {
namespace {

std::vector<float> random_values(unsigned seed, std::size_t count) {
  std::mt19937 generator(seed);
  std::lognormal_distribution<float> magnitude(0, 3);
  std::vector<float> values(count);
  for (float& x : values) x = (generator() % 2 == 0 ? 1.F : -1.F) * magnitude(generator);
  values[count / 2] = 0;
  return values;
}

void expect_same(const Histogram& a, const Histogram& b) {
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.counts, b.counts);
}

/// Slow and obvious: every value into its bin of the final width.
void expect_right(const MagnitudeCounter& counter, const std::vector<float>& values) {
  const Histogram h = counter.histogram(2048);
  std::vector<std::uint64_t> counts(h.counts.size());
  for (const float x : values)
    ++counts.at(static_cast<std::size_t>(std::fabs(double{x}) / h.width));
  EXPECT_EQ(h.counts, counts);
  EXPECT_LE(h.counts.size(), 2048U);
  EXPECT_GT(h.counts.back(), 0U);
}

TEST(MagnitudeCounter, CountsEveryValueHoweverItGrows) {
  auto values = random_values(1, 5000);
  MagnitudeCounter counter;
  for (std::size_t i = 0; i < values.size(); i += 7) {
    counter.add(std::span(values).subspan(i, std::min<std::size_t>(7, values.size() - i)));
  }
  expect_right(counter, values);
  EXPECT_EQ(counter.total(), values.size());
  EXPECT_TRUE(counter.has_negative());
  std::sort(values.begin(), values.end(),
            [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  EXPECT_EQ(counter.maximum(), std::fabs(values.back()));
  MagnitudeCounter at_once;
  at_once.add(values);
  expect_same(counter.histogram(2048), at_once.histogram(2048));
}

TEST(MagnitudeCounter, DoesNotDependOnHowTheValuesWereShared) {
  const auto values = random_values(2, 3000);
  MagnitudeCounter all;
  all.add(values);
  for (const std::size_t cut : {0U, 1U, 1500U, 2999U, 3000U}) {
    MagnitudeCounter first;
    MagnitudeCounter second;
    first.add(std::span(values).first(cut));
    second.add(std::span(values).subspan(cut));
    MagnitudeCounter merged = first;
    merged.merge(second);
    expect_same(merged.histogram(2048), all.histogram(2048));
    second.merge(first);
    expect_same(second.histogram(2048), all.histogram(2048));
    EXPECT_EQ(second.total(), all.total());
  }
}

TEST(MagnitudeCounter, TakesZerosTinyAndHugeValues) {
  MagnitudeCounter counter;
  const std::vector<float> zeros(3, 0.F);
  counter.add(zeros);
  EXPECT_TRUE(counter.histogram(2048).counts.empty());
  const std::vector<float> values{std::numeric_limits<float>::denorm_min(), 1e-38F, 1,
                                  std::numeric_limits<float>::max()};
  for (const float x : values) counter.add(std::span(&x, 1));
  const Histogram h = counter.histogram(2048);
  EXPECT_EQ(h.counts.front(), 6U);
  EXPECT_EQ(h.counts.back(), 1U);
  EXPECT_EQ(std::accumulate(h.counts.begin(), h.counts.end(), std::uint64_t{0}), 7U);
  EXPECT_FALSE(counter.has_negative());
}

TEST(MagnitudeCounter, SetsAsideWhatIsNoNumber) {
  MagnitudeCounter counter;
  counter.add(std::vector<float>{1, std::numeric_limits<float>::infinity(),
                                 std::numeric_limits<float>::quiet_NaN(), 2});
  EXPECT_EQ(counter.not_finite(), 2U);
  EXPECT_EQ(counter.total(), 2U);
  EXPECT_EQ(counter.maximum(), 2);
  expect_right(counter, {1, 2});
}

}  // namespace
}  // namespace hedge
