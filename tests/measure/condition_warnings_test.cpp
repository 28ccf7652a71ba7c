// SPDX-License-Identifier: Apache-2.0
#include "measure/condition_warnings.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "measure/throttle_sensors.h"
#include "result/machine.h"
#include "support/fake_machines.h"

namespace hedge {
namespace {

using test::FakeRoot;

struct Measured {
  Conditions before;
  std::optional<ConditionsRange> during;
  Conditions after;

  /// Two seconds on a board whose governor holds the clock at 1510 MHz.
  Measured() {
    for (int i = 0; i < 6; ++i) {
      CpuFrequency cpu;
      cpu.cpu = i;
      cpu.governor = "performance";
      cpu.current_khz = cpu.min_khz = cpu.max_khz = 1'510'400;
      before.cpus.push_back(cpu);
    }
    before.cpu_count = 6;
    before.cpu_times = CpuTimes{0, 0, 0};
    before.own_ticks = 0;
    before.celsius["cpu"] = 50;
    after = before;
    after.time_ns = 2'000'000'000;
    after.cpu_times = CpuTimes{204, 0, 1200};
    after.own_ticks = 200;
  }

  /// All warnings but those of this build.
  [[nodiscard]] std::vector<ConditionWarning> warnings() const {
    std::vector<ConditionWarning> found = condition_warnings(before, during, after);
    const auto notes = build_notes();
    std::erase_if(found, [&](const ConditionWarning& warning) {
      return std::find(notes.begin(), notes.end(), warning.text) != notes.end();
    });
    return found;
  }
  [[nodiscard]] ConditionWarning only() const {
    const auto found = warnings();
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? ConditionWarning{} : found.front();
  }
  void clocks(std::int64_t least_khz, std::int64_t most_khz) {
    during.emplace();
    during->busiest_cpu_khz = Extremes<std::int64_t>{least_khz, most_khz};
  }
};

void expect(const ConditionWarning& warning, Severity severity, std::string_view part) {
  EXPECT_EQ(warning.severity, severity) << warning.text;
  EXPECT_NE(warning.text.find(part), std::string::npos) << warning.text;
}

TEST(ConditionWarnings, QuietMachineHasNone) {
  Measured run;
  run.clocks(1'510'400, 1'510'400);
  EXPECT_TRUE(run.warnings().empty());
  run.during.reset();
  EXPECT_TRUE(run.warnings().empty());
}

TEST(ConditionWarnings, NothingIsSaidOfWhatIsNotTold) {
  Measured run;
  run.before = run.after = Conditions{};
  EXPECT_TRUE(run.warnings().empty());
}

TEST(ConditionWarnings, Governor) {
  Measured run;
  for (auto* cpus : {&run.before.cpus, &run.after.cpus}) (*cpus)[1].governor = "powersave";
  expect(run.only(), Severity::kWarning, "sudo hedge power set --governor=performance");
}

TEST(ConditionWarnings, GovernorThatChangesIsSerious) {
  Measured run;
  for (auto& cpu : run.after.cpus) cpu.governor = "schedutil";
  expect(run.only(), Severity::kSerious,
         "the CPU governor changed from performance to schedutil during the run");
}

TEST(ConditionWarnings, RangeOfTheClockThatChangesIsSerious) {
  Measured run;
  for (auto& cpu : run.after.cpus) cpu.max_khz = 960'000;
  expect(run.only(), Severity::kSerious, "from 1510-1510 MHz to 1510-960 MHz");
}

TEST(ConditionWarnings, PowerModeThatChangesIsSerious) {
  Measured run;
  run.before.power_mode = "15W";
  run.after.power_mode = "7W";
  expect(run.only(), Severity::kSerious, "the power mode changed from 15W to 7W");
}

TEST(ConditionWarnings, LoadByOthers) {
  Measured run;
  run.after.cpu_times->busy = 300;  // 1 CPU of ours, half a CPU of others.
  expect(run.only(), Severity::kWarning, "other processes used 0.5 of 6 CPUs");
  run.after.cpu_times->busy = 520;  // 1.6 of 6.
  expect(run.only(), Severity::kSerious, "other processes used 1.6 of 6 CPUs");
  run.after.cpu_times->busy = 230;  // 0.15: background.
  EXPECT_TRUE(run.warnings().empty());
  run.during.emplace();
  run.during->most_others = 2;  // A burst warns, the whole was undisturbed.
  expect(run.only(), Severity::kWarning, "2.0 at the worst");
}

TEST(ConditionWarnings, WaitingForACpu) {
  Measured run;
  run.before.waited_ns = 7;
  run.after.waited_ns = 10'000'000;  // Of 2 s.
  EXPECT_TRUE(run.warnings().empty());
  run.after.waited_ns = 60'000'000;
  expect(run.only(), Severity::kWarning, "waited 3 % of the time");
  run.after.waited_ns = 400'000'000;
  expect(run.only(), Severity::kSerious, "waited 20 % of the time");
}

TEST(ConditionWarnings, Steal) {
  Measured run;
  run.after.cpu_times->steal = 8;
  expect(run.only(), Severity::kWarning, "0.04 of a CPU");
  run.after.cpu_times->steal = 80;
  expect(run.only(), Severity::kSerious, "steal");
}

TEST(ConditionWarnings, ThrottleCounters) {
  Measured run;
  run.before.throttle_events = {{kCoreThrottling, 5}, {kPowerLimit, 5}, {kCgroupQuota, 5}};
  run.after.throttle_events = run.before.throttle_events;
  EXPECT_TRUE(run.warnings().empty()) << "what happened before does not count";
  run.after.throttle_events[kCoreThrottling] = 7;
  expect(run.only(), Severity::kSerious, "throttled 2 times during the run (core thermal");
  run.after.throttle_events[kCoreThrottling] = 5;
  run.after.throttle_events[kPowerLimit] = 6;
  expect(run.only(), Severity::kWarning, "package power limit");
  run.after.throttle_events[kPowerLimit] = 5;
  run.after.throttle_events[kCgroupQuota] = 6;
  expect(run.only(), Severity::kSerious, "raise the container's CPU limit");
}

TEST(ConditionWarnings, CoolingDevices) {
  Measured run;
  run.during.emplace();
  run.during->most_cooling["pwm-fan"] = 3;
  EXPECT_TRUE(run.warnings().empty());
  run.during->most_cooling["thermal-cpufreq-0"] = 1;
  expect(run.only(), Severity::kSerious, "thermal-cpufreq-0 was at state 1");
}

TEST(ConditionWarnings, Temperature) {
  Measured run;
  run.after.celsius["cpu"] = 61;
  expect(run.only(), Severity::kNote, "cpu grew 11 degrees C warmer");
  run.after.celsius["cpu"] = 55;
  run.before.passive["cpu"] = 85;
  EXPECT_TRUE(run.warnings().empty());
  run.during.emplace();
  run.during->celsius["cpu"] = {50, 85.5};
  expect(run.only(), Severity::kWarning, "cpu reached 85.5 degrees C, where it throttles (85.0)");
}

TEST(ConditionWarnings, BusyCpuBelowItsClock) {
  Measured run;
  run.clocks(1'200'000, 1'200'000);
  expect(run.only(), Severity::kWarning, "stayed at 1200 MHz of 1510");
  run.clocks(1'200'000, 1'510'400);
  expect(run.only(), Severity::kWarning, "moved between 1200 and 1510 MHz");
  run.after.own_ticks = 20;  // Mostly asleep: clocks may fall.
  run.after.cpu_times->busy = 24;
  EXPECT_TRUE(run.warnings().empty());
}

TEST(ConditionWarnings, SlowKindOfCpuIsNotTakenForAThrottledOne) {
  Measured run;
  for (auto* conditions : {&run.before, &run.after}) {
    for (int i = 4; i < 6; ++i) conditions->cpus[i].max_khz = 2'400'000;
  }
  run.clocks(1'510'400, 1'510'400);
  EXPECT_TRUE(run.warnings().empty());
}

TEST(ConditionWarnings, TurboPromisesTheBaseClockAlone) {
  Measured run;
  for (auto* conditions : {&run.before, &run.after}) {
    conditions->turbo = true;
    for (auto& cpu : conditions->cpus) cpu.max_khz = 4'700'000;
  }
  run.clocks(3'600'000, 3'700'000);
  expect(run.only(), Severity::kNote, "turbo boost is on");  // No base clock told: no promise.
  for (auto& cpu : run.before.cpus) cpu.base_khz = 3'600'000;
  EXPECT_EQ(run.warnings().size(), 1U);
  run.clocks(3'000'000, 3'000'000);
  ASSERT_EQ(run.warnings().size(), 2U);
  expect(run.warnings().front(), Severity::kWarning, "stayed at 3000 MHz of 3600");
}

TEST(ConditionWarnings, Laptop) {
  const FakeRoot root;
  test::fake_laptop(root);
  Measured run;
  run.before = run.after = snapshot_conditions(root.path());
  const auto found = run.warnings();
  ASSERT_EQ(found.size(), 4U);
  expect(found[0], Severity::kWarning, "CPU governor is powersave");
  expect(found[1], Severity::kWarning, "battery");
  expect(found[2], Severity::kWarning, "power profile is low-power");
  expect(found[3], Severity::kNote, "turbo");
}

TEST(ConditionWarnings, GpuClock) {
  Measured run;
  run.during.emplace();
  run.during->gpu_hz["17000000.gpu"] = {306'000'000, 624'750'000};
  expect(run.only(), Severity::kNote, "17000000.gpu moved between 306 and 624 MHz");
}

TEST(ConditionWarnings, TheMostSeriousComesFirst) {
  Measured run;
  run.before.turbo = run.after.turbo = true;
  run.before.power_mode = "15W";
  run.after.power_mode = "7W";
  run.after.cpu_times->busy = 300;
  const auto found = run.warnings();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].severity, Severity::kSerious);
  EXPECT_EQ(found[1].severity, Severity::kWarning);
  EXPECT_EQ(found[2].severity, Severity::kNote);
}

TEST(ConditionWarnings, BuildsThatMeanNothingAreSerious) {
  const Measured run;
  const auto found = condition_warnings(run.before, run.during, run.after);
  for (const std::string& note : build_notes()) {
    const bool nothing = note.find("mean nothing") != std::string::npos;
    EXPECT_NE(std::find(found.begin(), found.end(),
                        ConditionWarning{nothing ? Severity::kSerious : Severity::kWarning, note}),
              found.end());
  }
}

TEST(MissingLine, NamesAll) {
  Conditions conditions;
  EXPECT_EQ(missing_line(conditions), "");
  conditions.missing = {"turbo", "temperatures"};
  EXPECT_EQ(missing_line(conditions), "not told by this system: turbo and temperatures");
}

}  // namespace
}  // namespace hedge
