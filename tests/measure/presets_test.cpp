// SPDX-License-Identifier: Apache-2.0
#include "measure/presets.h"

#include <gtest/gtest.h>

#include "hedge/error.h"
#include "stats/intervals.h"

namespace hedge {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(Presets, TrtexecAsItsDefaults) {
  const MeasuringPlan plan = preset_plan("trtexec");
  EXPECT_EQ(plan.warm_up.least_ns, kSecond / 5);
  EXPECT_FALSE(plan.warm_up.until_steady);
  EXPECT_EQ(plan.bound.duration_ns, 3 * kSecond);
  EXPECT_EQ(plan.bound.iterations, 10);
  EXPECT_EQ(plan.repetitions, 1);
  EXPECT_EQ(plan.timing, Timing::kEach);
  EXPECT_EQ(describe(plan), "200 ms of warm-up; 3 s and 10 iterations at least; each timed");
}

TEST(Presets, SingleStreamHasTheLeastCountOfItsPercentile) {
  const MeasuringPlan plan = preset_plan("single-stream");
  EXPECT_EQ(plan.percentile, 90);
  EXPECT_EQ(static_cast<std::size_t>(plan.bound.iterations), fewest_samples_for_upper(0.9));
  EXPECT_EQ(plan.bound.duration_ns, 10 * kSecond);
  EXPECT_TRUE(plan.warm_up.until_steady);
}

TEST(Presets, TinyIsTheMedianOfFive) {
  const MeasuringPlan plan = preset_plan("tiny");
  EXPECT_EQ(plan.repetitions, 5);
  EXPECT_EQ(plan.bound.duration_ns, 10 * kSecond);
  EXPECT_EQ(plan.bound.iterations, 10);
  EXPECT_EQ(plan.timing, Timing::kLoop);
  EXPECT_EQ(describe(plan),
            "warm-up until steady; 5 times 10 s and 10 iterations at least; the loop timed in "
            "stretches");
}

TEST(Presets, QuickHasEnoughForP99) {
  const MeasuringPlan plan = preset_plan("quick");
  EXPECT_GE(static_cast<std::size_t>(plan.bound.iterations), fewest_samples(0.99));
  EXPECT_EQ(plan.timing, Timing::kBoth);
}

TEST(Presets, NoneIsTheOriginalsTenThousand) {
  const MeasuringPlan plan;
  EXPECT_EQ(plan.bound.iterations, 10'000);
  EXPECT_EQ(plan.bound.duration_ns, 0);
  EXPECT_EQ(plan.warm_up.least_runs, 100);
  EXPECT_EQ(describe(plan), "warm-up until steady; 10000 iterations; the loop timed, then each");
}

TEST(Presets, OtherNamesAreRefusedWithTheNearest) {
  try {
    (void)preset_plan("singlestream");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean single-stream?"), std::string::npos);
  }
  EXPECT_THROW((void)preset_plan(""), Error);
}

TEST(Timing, RoundTrips) {
  for (const Timing timing : {Timing::kLoop, Timing::kEach, Timing::kBoth}) {
    EXPECT_EQ(parse_timing(to_string(timing)), timing);
  }
  EXPECT_THROW((void)parse_timing("none"), Error);
}

}  // namespace
}  // namespace hedge
