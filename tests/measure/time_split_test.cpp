// SPDX-License-Identifier: Apache-2.0
#include "measure/time_split.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "hedge/error.h"

namespace hedge {
namespace {

/// Its times are those of a script: inference i takes `step_ns` * i more than the first.
class ScriptedSplitter final : public TimeSplitter {
 public:
  explicit ScriptedSplitter(Split first, std::int64_t step_ns = 0)
      : first_(first), step_ns_(step_ns) {}
  [[nodiscard]] bool enqueues_at_once() const override { return false; }
  [[nodiscard]] Split infer_split() override {
    Split split = first_;
    split.compute_ns += step_ns_ * calls++;
    return split;
  }
  std::int64_t calls = 0;

 private:
  Split first_;
  std::int64_t step_ns_;
};

/// A millisecond between two looks.
struct SteppingClock {
  std::int64_t* now;
  [[nodiscard]] std::int64_t now_ns() const { return *now += 1'000'000; }
};

TEST(TimeSplit, MediansOfWhatWasMeasured) {
  ScriptedSplitter splitter({.wall_ns = 50'000,
                             .enqueue_ns = 4'000,
                             .copy_in_ns = 3'000,
                             .compute_ns = 30'000,
                             .copy_out_ns = std::nullopt},
                            100);
  const SplitRun run = run_split(splitter, {.inferences = 5});
  EXPECT_EQ(splitter.calls, 15);  // Ten warm it up.
  EXPECT_FALSE(run.at_once);
  const SplitResult split = split_result(run);
  EXPECT_EQ(split.compute, 31.2);  // Of inferences 10 to 14.
  EXPECT_EQ(split.copy_in, 3.0);
  EXPECT_EQ(split.enqueue, 4.0);
  EXPECT_EQ(split.wall, 50.0);
  // Absent, not zero.
  EXPECT_FALSE(split.copy_out);
  EXPECT_FALSE(split.preprocess);
  EXPECT_FALSE(split.decide);
  EXPECT_DOUBLE_EQ(gpu_us(split), 34.2);
}

TEST(TimeSplit, EndsWithItsTime) {
  ScriptedSplitter splitter({.compute_ns = 1});
  std::int64_t now = 0;
  const SplitRun run =
      run_split(splitter, {.inferences = 1000, .duration_ns = 20'000'000}, SteppingClock{&now});
  EXPECT_EQ(run.splits.size(), 20U);
  now = 0;
  EXPECT_EQ(run_split(splitter, {.inferences = 1000, .duration_ns = 1}, SteppingClock{&now})
                .splits.size(),
            1U);
}

TEST(TimeSplit, NothingWhenCancelled) {
  ScriptedSplitter splitter({.compute_ns = 1});
  request_cancellation();
  const SplitRun run = run_split(splitter);
  cancellation_flag = false;
  EXPECT_TRUE(run.splits.empty());
  EXPECT_EQ(splitter.calls, 0);
  EXPECT_THROW((void)split_result(run), Error);
}

SplitResult times(double enqueue_us, double compute_us, double copy_us = 0) {
  SplitResult split;
  split.enqueue = enqueue_us;
  split.compute = compute_us;
  if (copy_us > 0) split.copy_in = copy_us;
  split.wall = enqueue_us + compute_us;
  return split;
}

TEST(TimeSplit, AdviceOnlyWhereLaunchesHoldTheNetUp) {
  EXPECT_TRUE(launch_bound_advice(times(4, 30), true).empty());
  EXPECT_TRUE(launch_bound_advice(times(23.9, 30), false).empty());
  EXPECT_TRUE(launch_bound_advice(times(25, 30, 5), false).empty());  // Copies are the GPU's time.
  EXPECT_TRUE(launch_bound_advice(times(25, 0), false).empty());      // Unknown.
  EXPECT_TRUE(launch_bound_advice({}, false).empty());

  const auto without = launch_bound_advice(times(45.678, 30), false);
  ASSERT_EQ(without.size(), 3U);
  EXPECT_NE(without[0].find("45.68 us"), std::string::npos) << without[0];
  EXPECT_NE(without[0].find("30.00 us"), std::string::npos) << without[0];
  EXPECT_NE(without[1].find("--no-cuda-graph"), std::string::npos) << without[1];
  EXPECT_NE(without[2].find("not answered sooner"), std::string::npos) << without[2];
  const auto with = launch_bound_advice(times(24, 30), true);
  ASSERT_EQ(with.size(), 3U);
  EXPECT_EQ(with[1].find("--no-cuda-graph"), std::string::npos) << with[1];
  EXPECT_NE(with[1].find("already"), std::string::npos) << with[1];
}

}  // namespace
}  // namespace hedge
