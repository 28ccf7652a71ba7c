// SPDX-License-Identifier: Apache-2.0
#include "measure/conditions.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "measure/conditions_json.h"
#include "measure/throttle_sensors.h"
#include "support/fake_machines.h"

namespace hedge {
namespace {

using nlohmann::json;
using test::FakeRoot;

bool misses(const Conditions& conditions, std::string_view part) {
  return std::any_of(conditions.missing.begin(), conditions.missing.end(),
                     [&](const std::string& name) { return name.find(part) != name.npos; });
}

TEST(Conditions, OrinNanoWithJetPack6) {
  const FakeRoot root;
  test::fake_jetpack6(root);
  const Conditions conditions = snapshot_conditions(root.path());
  ASSERT_EQ(conditions.cpus.size(), 6U);
  EXPECT_EQ(conditions.cpus[5].governor, "schedutil");
  EXPECT_FALSE(conditions.turbo.has_value());
  ASSERT_EQ(conditions.gpus.size(), 1U);
  EXPECT_EQ(conditions.gpus[0].name, "17000000.gpu");
  EXPECT_EQ(conditions.gpus[0].current_hz, 306000000);
  EXPECT_EQ(conditions.gpus[0].max_hz, 624750000);
  EXPECT_EQ(conditions.celsius,
            (std::map<std::string, double>{{"cpu-thermal", 48.5}, {"gpu-thermal", 47.0}}));
  EXPECT_EQ(conditions.passive, (std::map<std::string, double>{{"cpu-thermal", 99.0}}));
  EXPECT_EQ(conditions.cooling.at("pwm-fan"), 2);
  EXPECT_EQ(conditions.throttle_events.at("over-current 3"), 7);
  EXPECT_EQ(conditions.power_mode, "7W");
  EXPECT_EQ(conditions.load_average, 0.52);
  EXPECT_EQ(conditions.cpu_count, 6);
  EXPECT_EQ(conditions.own_ticks, 100);
  EXPECT_EQ(conditions.waited_ns, 2500);
  EXPECT_EQ(conditions.missing,
            std::vector<std::string>{"temperature of cv0-thermal (powered down)"});
}

TEST(Conditions, OrinNanoWithJetPack5) {
  const FakeRoot root;
  test::fake_jetpack5(root);
  const Conditions conditions = snapshot_conditions(root.path());
  ASSERT_EQ(conditions.gpus.size(), 1U);
  EXPECT_EQ(conditions.gpus[0].name, "17000000.ga10b");
  EXPECT_FALSE(conditions.gpus[0].min_hz.has_value());
  EXPECT_TRUE(misses(conditions, "temperature of CV0-therm (no number)"));
  EXPECT_FALSE(misses(conditions, "GPU clock"));
}

TEST(Conditions, ZoneThatAnswersEagainIsPoweredDown) {
  const FakeRoot root;
  test::fake_jetpack5(root);
  const auto file = root.path() / "sys/class/thermal/thermal_zone2/temp";
  std::filesystem::remove(file);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);  // One that is open and empty answers EAGAIN.
  const int writer = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(writer, 0);
  EXPECT_TRUE(misses(snapshot_conditions(root.path()), "temperature of CV0-therm (powered down)"));
  ::close(writer);
}

TEST(Conditions, JetsonNanoWithJetPack4) {
  const FakeRoot root;
  test::fake_jetpack4(root);
  const Conditions conditions = snapshot_conditions(root.path());
  EXPECT_EQ(conditions.power_mode, "MAXN");
  EXPECT_EQ(conditions.celsius.at("CPU-therm"), 33.5);
  EXPECT_TRUE(conditions.throttle_events.empty());
  EXPECT_FALSE(misses(conditions, "throttling")) << "cooling devices tell of it";
  std::filesystem::remove_all(root.path() / "sys/class/devfreq");
  std::filesystem::remove_all(root.path() / "var");
  const Conditions poorer = snapshot_conditions(root.path());
  EXPECT_TRUE(misses(poorer, "GPU clock"));
  EXPECT_TRUE(misses(poorer, "power mode"));
}

TEST(Conditions, DesktopWithIntelPstate) {
  const FakeRoot root;
  test::fake_desktop(root);
  root.write("proc/driver/nvidia/version", "NVRM version: 550\n");
  root.write("sys/class/hwmon/hwmon0/name", "coretemp\n");
  root.write("sys/class/hwmon/hwmon0/temp1_label", "Package id 0\n");
  root.write("sys/class/hwmon/hwmon0/temp1_input", "51000\n");
  const Conditions conditions = snapshot_conditions(root.path());
  EXPECT_EQ(conditions.turbo, true);
  EXPECT_EQ(conditions.cpus[0].base_khz, 3600000);
  EXPECT_EQ(conditions.throttle_events.at(kCoreThrottling), 24);
  EXPECT_EQ(conditions.throttle_events.at(kPackageThrottling), 40);
  EXPECT_EQ(conditions.cooling.at("intel_powerclamp"), 0) << "-1 is idle";
  EXPECT_EQ(conditions.celsius.at("coretemp Package id 0"), 51);
  EXPECT_FALSE(conditions.power_mode.has_value());
  EXPECT_TRUE(misses(conditions, "power mode (neither nvpmodel's nor ACPI's"));
  EXPECT_FALSE(conditions.on_battery.has_value());
  EXPECT_TRUE(misses(conditions, "NVIDIA"));
  EXPECT_FALSE(misses(conditions, "GPU clocks"));  // said once
}

TEST(Conditions, Laptop) {
  const FakeRoot root;
  test::fake_laptop(root);
  EXPECT_EQ(snapshot_conditions(root.path()).on_battery, true);
  EXPECT_EQ(snapshot_conditions(root.path()).power_profile, "low-power");
  EXPECT_FALSE(misses(snapshot_conditions(root.path()), "power mode"));
  root.write("sys/class/power_supply/BAT0/status", "Charging\n");
  EXPECT_EQ(snapshot_conditions(root.path()).on_battery, false);
}

TEST(Conditions, EmptyContainerNamesWhatIsMissing) {
  const FakeRoot root;
  const Conditions conditions = snapshot_conditions(root.path());
  EXPECT_TRUE(conditions.cpus.empty());
  for (const char* part :
       {"CPU governor", "load by others", "temperatures", "throttling", "power mode", "GPU clocks"})
    EXPECT_TRUE(misses(conditions, part)) << part;
  EXPECT_EQ(conditions.missing.size(), 6U);
  const json text = conditions_to_json(conditions);
  EXPECT_EQ(text.size(), 1U) << text;
  EXPECT_EQ(text["missing"].size(), 6U);
}

TEST(Conditions, QuotaOfAControlGroupOrOfOneAroundIt) {
  const FakeRoot root;
  root.write("proc/self/cgroup", "0::/pod/container\n");
  root.write("sys/fs/cgroup/pod/container/cpu.stat",
             "usage_usec 5\nnr_periods 9\nnr_throttled 2\n");
  root.write("sys/fs/cgroup/pod/cpu.stat", "nr_throttled 11\n");
  root.write("sys/fs/cgroup/cpu.stat", "usage_usec 5\n");
  EXPECT_EQ(read_throttle_events(root.path()).at(kCgroupQuota), 11);
  const FakeRoot old;
  old.write("proc/self/cgroup", "5:memory:/a\n4:cpu,cpuacct:/docker/1\n");
  old.write("sys/fs/cgroup/cpu/cpu.stat", "nr_periods 1\nnr_throttled 4\nthrottled_time 7\n");
  EXPECT_EQ(read_throttle_events(old.path()).at(kCgroupQuota), 4);
}

TEST(Conditions, FirmwareOfARaspberryPiTellsWhatHoldsNow) {
  const FakeRoot root;
  root.write("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n");
  EXPECT_EQ(read_cooling(root.path()).at("firmware"), 5);
}

TEST(Conditions, FansDoNotSlowDown) {
  for (const char* type : {"thermal-cpufreq-0", "cpufreq-cpu0", "Processor", "CPU-throttle-alert",
                           "GPU-balanced", "devfreq-17000000.ga10b", "intel_powerclamp"})
    EXPECT_TRUE(slows_down(type)) << type;
  for (const char* type : {"pwm-fan", "Fan", "LCD", "hot-surface-alert"})
    EXPECT_FALSE(slows_down(type)) << type;
}

TEST(Conditions, ForeignBytesDoNoHarm) {
  const FakeRoot root;
  test::fake_jetpack6(root);
  root.write("proc/stat", "cpu  1 2 x 4 5\n");
  root.write("proc/self/stat", "77 (unfinished");
  root.write("proc/loadavg", "lots");
  root.write("sys/class/thermal/thermal_zone0/type", "\xff\x01\n");
  root.write("sys/class/thermal/thermal_zone1/type", "");
  root.write("sys/class/thermal/cooling_device0/cur_state", "99999999999999999999");
  root.write("proc/self/cgroup", "0:\n:::\n0::/../../..\n");
  const Conditions conditions = snapshot_conditions(root.path());
  EXPECT_FALSE(conditions.cpu_times.has_value());
  EXPECT_FALSE(conditions.own_ticks.has_value());
  EXPECT_FALSE(conditions.load_average.has_value());
  EXPECT_EQ(conditions.celsius.at("??"), 48.5);
  EXPECT_EQ(conditions.celsius.at("thermal_zone1"), 47);
  EXPECT_FALSE(conditions.cooling.contains("pwm-fan"));
  EXPECT_NO_THROW((void)conditions_to_json(conditions).dump());
}

TEST(Conditions, SampleReadsWhatChangesOfTheSameCpus) {
  const FakeRoot root;
  test::fake_jetpack6(root);
  const Conditions first = snapshot_conditions(root.path());
  root.write("sys/devices/system/cpu/cpu4/cpufreq/scaling_cur_freq", "1510400\n");
  root.write("sys/class/devfreq/17000000.gpu/cur_freq", "624750000\n");
  const Conditions sample = sample_conditions(first, root.path());
  ASSERT_EQ(sample.cpus.size(), 6U);
  EXPECT_EQ(sample.cpus[4].current_khz, 1510400);
  EXPECT_EQ(sample.cpus[3].current_khz, 729600);
  EXPECT_EQ(sample.gpus.at(0).current_hz, 624750000);
  EXPECT_EQ(sample.celsius, first.celsius);
}

TEST(CpuShares, OthersAreWhatThisProcessDidNotUse) {
  Conditions earlier;
  Conditions later;
  later.time_ns = 2'000'000'000;
  earlier.cpu_times = CpuTimes{1000, 10, 5000};
  later.cpu_times = CpuTimes{1300, 30, 5800};
  earlier.own_ticks = 50;
  later.own_ticks = 200;
  const auto shares = cpu_shares(earlier, later);
  ASSERT_TRUE(shares.has_value());
  EXPECT_DOUBLE_EQ(shares->seconds, 2);
  EXPECT_DOUBLE_EQ(shares->own, 0.75);
  EXPECT_DOUBLE_EQ(shares->others, 0.75);
  EXPECT_DOUBLE_EQ(shares->steal, 0.1);
  EXPECT_FALSE(shares->waited.has_value());
  earlier.waited_ns = 100;
  later.waited_ns = 500'000'100;
  EXPECT_DOUBLE_EQ(cpu_shares(earlier, later)->waited.value(), 0.25);
  later.own_ticks = 400;  // Counted a tick later than the sum.
  EXPECT_DOUBLE_EQ(cpu_shares(earlier, later)->others, 0);
}

TEST(CpuShares, NothingWhereTheyCannotBeKnown) {
  Conditions earlier;
  earlier.cpu_times = CpuTimes{1, 0, 2};
  earlier.own_ticks = 1;
  Conditions later = earlier;
  later.time_ns = 5'000'000'000;
  EXPECT_FALSE(cpu_shares(earlier, later).has_value()) << "stands still";
  later.cpu_times = CpuTimes{100, 0, 1000};
  EXPECT_TRUE(cpu_shares(earlier, later).has_value());
  later.time_ns = 100'000'000;
  EXPECT_FALSE(cpu_shares(earlier, later).has_value()) << "too short";
  later.time_ns = 5'000'000'000;
  later.own_ticks.reset();
  EXPECT_FALSE(cpu_shares(earlier, later).has_value());
}

TEST(ConditionsJson, CpusOfTheSameSettingsShareAnElement) {
  const FakeRoot root;
  test::fake_jetpack6(root);
  root.write("sys/devices/system/cpu/cpu4/cpufreq/scaling_max_freq", "960000\n");
  root.write("sys/devices/system/cpu/cpu5/cpufreq/scaling_max_freq", "960000\n");
  const json clocks = conditions_to_json(snapshot_conditions(root.path()))["cpu_clocks"];
  ASSERT_EQ(clocks.size(), 2U);
  EXPECT_EQ(clocks[0], json::parse(R"({"cpus": "0-3", "governor": "schedutil", "min_mhz": 115.2,
                            "max_mhz": 1510.4, "mhz": [729.6, 729.6, 729.6, 729.6]})"));
  EXPECT_EQ(clocks[1]["cpus"], "4-5");
  EXPECT_EQ(clocks[1]["max_mhz"], 960.0);
}

TEST(ConditionsJson, BuildAndLibrariesStandInBefore) {
  const FakeRoot root;
  test::fake_desktop(root);
  root.write("proc/sys/kernel/osrelease", "6.1.0\n");
  Conditions before = snapshot_conditions(root.path());
  Conditions after = before;
  before.time_ns = 0;
  after.time_ns = 1'000'000'000;
  after.cpu_times->busy += 150;
  after.cpu_times->total += 800;
  *after.own_ticks += 100;
  const ConditionsResult result = conditions_result(before, std::nullopt, after, root.path());
  EXPECT_EQ((*result.before)["kernel"], "6.1.0");
  EXPECT_EQ((*result.before)["build"]["type"], HEDGE_BUILD_TYPE);
  bool has_fmt = false;
  for (const auto& name : (*result.before)["libraries"])
    has_fmt = has_fmt || name.get<std::string>().starts_with("libfmt.so");
  EXPECT_TRUE(has_fmt) << (*result.before)["libraries"];
  EXPECT_FALSE(result.during.has_value());
  EXPECT_EQ((*result.after)["since_before"]["others_cpus"], 0.5);
  EXPECT_EQ((*result.after)["since_before"]["own_cpus"], 1.0);
}

}  // namespace
}  // namespace hedge
