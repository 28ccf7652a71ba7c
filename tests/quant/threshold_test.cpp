// SPDX-License-Identifier: Apache-2.0
#include "quant/threshold.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

/// The same arithmetic as in tools/make_calibration_goldens.py.
Histogram histogram(std::uint64_t seed, std::size_t bins, std::uint64_t decay,
                    std::uint64_t holes) {
  Histogram made{std::vector<std::uint64_t>(bins), 0.25};
  std::uint64_t state = seed;
  std::uint64_t level = std::uint64_t{1} << 40U;
  for (std::uint64_t& count : made.counts) {
    state = (state * 1103515245 + 12345) % (std::uint64_t{1} << 31U);
    count = holes != 0 && state % holes == 0 ? 0 : (level >> 20U) + state % 7;
    level -= level / decay;
  }
  return made;
}

// Thresholds by NVIDIA's own code (tools/make_calibration_goldens.py).
TEST(Threshold, AgreesWithPytorchQuantization) {
  struct Case {
    std::uint64_t seed;
    std::size_t bins;
    std::uint64_t decay;
    std::uint64_t holes;
    double entropy;
    double mse;
    double percentile;
  };
  for (const Case& c : {
           Case{1, 2048, 100, 0, 287.25, 333.375, 172.5},
           Case{2, 2048, 300, 0, 512.0, 492.125, 462.75},
           Case{3, 2048, 30, 3, 72.75, 406.375, 53.75},
           Case{4, 1639, 200, 2, 409.75, 380.625, 332.5},
           Case{5, 2047, 1000, 5, 511.5, 508.125, 509.5},
           Case{6, 500, 60, 0, 125.0, 117.125, 99.75},
           Case{7, 129, 20, 4, 32.25, 32.125, 29.5},
           Case{8, 2048, 150, 2, 415.75, 380.375, 258.5},
       }) {
    const Histogram h = histogram(c.seed, c.bins, c.decay, c.holes);
    EXPECT_EQ(entropy_threshold(h), c.entropy) << c.seed;
    EXPECT_EQ(mse_threshold(h), c.mse) << c.seed;
    EXPECT_EQ(percentile_threshold(h, 99.9), c.percentile) << c.seed;
  }
}

TEST(Threshold, OfFewBinsIsTheirEnd) {
  const Histogram few{{5, 3, 0, 1}, 0.5};
  EXPECT_EQ(entropy_threshold(few), 2.0);
  EXPECT_EQ(mse_threshold(few), 2.0);
  EXPECT_EQ(percentile_threshold(few, 50), 0.5);  // Never 0.
  EXPECT_EQ(percentile_threshold(few, 100), 1.5);
}

TEST(Threshold, OfNothingIsRefused) {
  MagnitudeCounter seen;
  EXPECT_THROW((void)calibrate_threshold(seen, CalibrationMethod::kEntropy), Error);
  seen.add(std::vector<float>{0, -0.F, 0});
  for (const auto method : {CalibrationMethod::kEntropy, CalibrationMethod::kMinMax,
                            CalibrationMethod::kPercentile, CalibrationMethod::kMse}) {
    EXPECT_THROW((void)calibrate_threshold(seen, method), Error);
  }
  seen.add(std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()});
  EXPECT_THROW((void)calibrate_threshold(seen, CalibrationMethod::kMinMax), Error);
}

TEST(Threshold, MethodsHaveNames) {
  for (const auto method : {CalibrationMethod::kEntropy, CalibrationMethod::kMinMax,
                            CalibrationMethod::kPercentile, CalibrationMethod::kMse}) {
    EXPECT_EQ(calibration_method_from_string(to_string(method)), method);
  }
  EXPECT_THROW((void)calibration_method_from_string("kl"), Error);
}

TEST(Threshold, OfOneValueIsThatValue) {
  MagnitudeCounter seen;
  seen.add(std::vector<float>(1000, 3.F));
  EXPECT_EQ(calibrate_threshold(seen, CalibrationMethod::kMinMax), 3);
  EXPECT_NEAR(calibrate_threshold(seen, CalibrationMethod::kEntropy), 3, 3.0 / 1000);
  EXPECT_NEAR(calibrate_threshold(seen, CalibrationMethod::kPercentile), 3, 3.0 / 1000);
}

}  // namespace
}  // namespace hedge
