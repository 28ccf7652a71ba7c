// SPDX-License-Identifier: Apache-2.0
#include "base/float8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace hedge {
namespace {

/// The nearest of all codes; of two that are as near the even one.
std::uint8_t nearest(float x) {
  int best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int code = 0; code < 0x7F; ++code) {
    const double distance = std::fabs(double{std::fabs(x)} -
                                      double{float_from_float8(static_cast<std::uint8_t>(code))});
    if (distance < least || (distance == least && code % 2 == 0)) best = code;
    least = std::min(least, distance);
  }
  return static_cast<std::uint8_t>(best | (std::signbit(x) ? 0x80 : 0));
}

TEST(Float8, KnownCodes) {
  EXPECT_EQ(float8_from_float(1), 0x38);
  EXPECT_EQ(float8_from_float(-1), 0xB8);
  EXPECT_EQ(float8_from_float(448), 0x7E);
  EXPECT_EQ(float8_from_float(0x1p-9F), 0x01);
  EXPECT_EQ(float8_from_float(0x1p-6F), 0x08);
  EXPECT_EQ(float8_from_float(17), 0x58);  // Half way to 18: the even one, 16.
  EXPECT_EQ(float8_from_float(-0.F), 0x80);
  EXPECT_EQ(float8_from_float(std::numeric_limits<float>::quiet_NaN()) & 0x7F, 0x7F);
}

TEST(Float8, WhatItCannotHoldBecomesItsLargest) {
  for (const float x : {449.F, 1e9F, std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(float8_from_float(x), 0x7E);
    EXPECT_EQ(float8_from_float(-x), 0xFE);
  }
}

TEST(Float8, EveryCodeComesBack) {
  for (int code = 0; code < 256; ++code) {
    const auto byte = static_cast<std::uint8_t>(code);
    EXPECT_EQ(float8_from_float(float_from_float8(byte)), byte) << code;
  }
}

TEST(Float8, RoundsToTheNearest) {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> exponent(-12, 9);
  for (int i = 0; i < 20'000; ++i) {
    const float x = std::exp2(exponent(random)) * (i % 2 == 0 ? 1 : -1);
    EXPECT_EQ(float8_from_float(x), nearest(x)) << x;
  }
  for (int code = 0; code < 0x7E; ++code) {  // Ties.
    const auto byte = static_cast<std::uint8_t>(code);
    const float middle =
        (float_from_float8(byte) + float_from_float8(static_cast<std::uint8_t>(code + 1))) / 2;
    EXPECT_EQ(float8_from_float(middle), nearest(middle)) << middle;
  }
}

}  // namespace
}  // namespace hedge
