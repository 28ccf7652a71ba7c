// SPDX-License-Identifier: Apache-2.0
#include "measure/conditions_watch.h"

#include <gtest/gtest.h>

#include "measure/conditions_json.h"
#include "support/fake_machines.h"

namespace hedge {
namespace {

using test::FakeRoot;

/// One CPU's clock and a GPU's, at a time.
Conditions sample(double seconds, std::int64_t khz, std::int64_t gpu_hz = 0) {
  Conditions conditions;
  conditions.time_ns = static_cast<std::int64_t>(seconds * 1e9);
  CpuFrequency idle;
  idle.current_khz = 100'000;
  CpuFrequency busy;
  busy.current_khz = khz;
  conditions.cpus = {idle, busy};
  if (gpu_hz > 0) conditions.gpus = {{"gpu", {}, "", gpu_hz, {}, {}}};
  return conditions;
}

TEST(ConditionsRange, WorkingClocksLeaveTheIdleEndsOut) {
  ConditionsRange range;
  range.add(sample(0, 200'000, 5));
  range.add(sample(1, 1'500'000, 900));
  range.add(sample(2, 1'400'000, 800));
  range.add(sample(3, 300'000, 7));
  EXPECT_EQ(range.samples, 4);
  EXPECT_DOUBLE_EQ(range.seconds, 3);
  EXPECT_EQ(range.busiest_cpu_khz, (Extremes<std::int64_t>{1'400'000, 1'500'000}));
  EXPECT_EQ(range.cpu_khz, (Extremes<std::int64_t>{100'000, 1'500'000}));
  EXPECT_EQ(range.gpu_hz.at("gpu"), (Extremes<std::int64_t>{800, 900}));
}

TEST(ConditionsRange, TwoSamplesKnowNoWorkingClock) {
  ConditionsRange range;
  range.add(sample(0, 200'000));
  range.add(sample(1, 300'000));
  EXPECT_FALSE(range.busiest_cpu_khz.has_value());
}

TEST(ConditionsRange, TemperaturesCoolingAndEvents) {
  ConditionsRange range;
  Conditions conditions;
  conditions.celsius["cpu"] = 50;
  conditions.cooling["Processor"] = 0;
  conditions.throttle_events["core"] = 7;
  range.add(conditions);
  conditions.celsius["cpu"] = 90;
  conditions.cooling["Processor"] = 3;
  conditions.throttle_events.clear();  // A sample between the ends does not read them.
  range.add(conditions);
  conditions.celsius["cpu"] = 40;
  conditions.cooling["Processor"] = 0;
  conditions.throttle_events["core"] = 9;
  range.add(conditions);
  EXPECT_EQ(range.celsius.at("cpu"), (Extremes<double>{40, 90}));
  EXPECT_EQ(range.most_cooling.at("Processor"), 3);
  EXPECT_EQ(range.throttle_events.at("core"), 2);
}

TEST(ConditionsRange, WorstSecondOfOthers) {
  ConditionsRange range;
  Conditions conditions;
  conditions.own_ticks = 0;
  conditions.cpu_times = CpuTimes{0, 0, 0};
  range.add(conditions);
  for (int quarter = 1; quarter <= 16; ++quarter) {
    conditions.time_ns += 250'000'000;
    // Others take a whole CPU in the third second only.
    conditions.cpu_times->busy += quarter > 8 && quarter <= 12 ? 50 : 25;
    conditions.cpu_times->total += 100;
    *conditions.own_ticks += 25;
    range.add(conditions);
  }
  EXPECT_DOUBLE_EQ(range.others.value(), 0.25);
  EXPECT_DOUBLE_EQ(range.most_others.value(), 1);
}

/// Of the last 0.75 s only the mean tells: the worst second is none the less no better.
TEST(ConditionsRange, TheWorstSecondIsNoBetterThanTheMean) {
  ConditionsRange range;
  Conditions conditions;
  conditions.own_ticks = 0;
  conditions.cpu_times = CpuTimes{0, 0, 0};
  range.add(conditions);
  for (int quarter = 1; quarter <= 7; ++quarter) {
    conditions.time_ns += 250'000'000;
    conditions.cpu_times->busy += quarter > 4 ? 50 : 25;
    conditions.cpu_times->total += 100;
    range.add(conditions);
  }
  EXPECT_GT(range.others.value(), 1.1);
  EXPECT_DOUBLE_EQ(range.most_others.value(), range.others.value());
}

TEST(ConditionsRange, Json) {
  ConditionsRange range;
  range.add(sample(0, 200'000));
  range.add(sample(1.5, 1'500'000, 624'750'000));
  range.add(sample(2, 1'400'000));
  const auto json = conditions_to_json(range);
  EXPECT_EQ(json, nlohmann::json::parse(R"({"samples": 3, "seconds": 2.0,
      "cpu_mhz": {"min": 100.0, "max": 1500.0}, "busiest_cpu_mhz": {"min": 1500.0, "max": 1500.0},
      "gpu_mhz": {"gpu": {"min": 624.75, "max": 624.75}}})"));
}

TEST(ConditionsWatch, SeesTheBeginningAndTheEndHoweverShort) {
  const FakeRoot root;
  test::fake_desktop(root);
  ConditionsWatch watch(root.path(), std::chrono::hours(1));
  const ConditionsRange range = watch.stop();
  EXPECT_EQ(range.samples, 2);
  EXPECT_EQ(range.cpu_khz, (Extremes<std::int64_t>{800'000, 800'000}));
  EXPECT_EQ(range.throttle_events.size(), 2U);
}

TEST(ConditionsWatch, GoesOnUntilStopped) {
  const FakeRoot root;
  test::fake_desktop(root);
  ConditionsWatch watch(root.path(), std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_GE(watch.stop().samples, 4);
}

// One that waited out its hour would run into ctest's timeout.
TEST(ConditionsWatch, MayBeDroppedWithoutStopping) {
  const FakeRoot root;
  const ConditionsWatch watch(root.path(), std::chrono::hours(1));
}

}  // namespace
}  // namespace hedge
