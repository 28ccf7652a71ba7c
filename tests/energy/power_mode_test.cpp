// SPDX-License-Identifier: Apache-2.0
#include "energy/modes/power_mode.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/system_files.h"
#include "energy/modes/power_mode_jetson.h"
#include "energy/modes/power_mode_tool.h"
#include "hedge/error.h"
#include "support/fake_machines.h"

namespace hedge {
namespace {

using test::FakeRoot;

// ---- vendors' programs

std::filesystem::path script(const FakeRoot& root, const std::string& text) {
  root.write("tool", "#!/bin/sh\n" + text);
  const auto path = root.path() / "tool";
  ::chmod(path.c_str(), 0755);
  return path;
}

TEST(Tool, TellsOutputAndStatus) {
  const FakeRoot root;
  const ToolAnswer answer =
      run_tool(script(root, "echo $1; echo $2 >&2; echo; exit 3"), {"a b", "c"});
  EXPECT_EQ(answer.status, 3);
  EXPECT_EQ(answer.output, "a b\nc\n\n");
  EXPECT_EQ(answer.last_line(), "c");
  EXPECT_EQ(run_tool(script(root, "kill -TERM $$"), {}).status, 128 + 15);
}

TEST(Tool, IsAnsweredNo) {
  const FakeRoot root;
  EXPECT_EQ(run_tool(script(root, "read -r a; read -r b || echo $a, end"), {}).output, "no, end\n");
}

TEST(Tool, IsKilledWhereItDoesNotEnd) {
  const FakeRoot root;
  EXPECT_THROW((void)run_tool(script(root, "exec sleep 30"), {}, std::chrono::seconds(0)), Error);
}

TEST(Tool, DoesNotWaitForWhatItLeavesBehind) {
  const FakeRoot root;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(run_tool(script(root, "sleep 3 & echo there"), {}).output, "there\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST(Tool, WritesMoreThanAPipeHolds) {
  const FakeRoot root;
  const ToolAnswer answer = run_tool(
      script(root, "i=0; while [ $i -lt 300 ]; do printf '%1000d\\n' $i; i=$((i+1)); done"), {});
  EXPECT_EQ(answer.status, 0);
  EXPECT_GT(answer.output.size(), 250'000U);
  EXPECT_LT(answer.output.size(), 270'000U) << "bounded";
}

TEST(FindProgram, LooksAlongThePath) {
  EXPECT_TRUE(find_program("sh").has_value());
  EXPECT_FALSE(find_program("no-such-program").has_value());
  EXPECT_FALSE(find_program("").has_value());
  EXPECT_FALSE(find_program("/").has_value());
}

TEST(NvidiaClocks, AreReadFromCsv) {
  const auto gpus = parse_nvidia_clocks(
      "0, NVIDIA H100 80GB HBM3, 345, 1980\n1, Orin, [N/A], 624\nNo devices were found\n, , ,\n");
  ASSERT_EQ(gpus.size(), 1U);
  EXPECT_EQ(gpus[0].index, "0");
  EXPECT_EQ(gpus[0].name, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(gpus[0].mhz, 345);
  EXPECT_EQ(gpus[0].max_mhz, 1980);
}

// ---- the CPU

TEST(CpuPower, LocksAtWhatAModeLeaves) {
  const FakeRoot root;
  test::fake_cpu_frequency(root, 2, "schedutil", 729600, 115200, 1510400);
  root.write("sys/devices/system/cpu/cpu1/cpufreq/scaling_max_freq", "960000\n");
  CpuRequest request;
  request.lock = true;
  EXPECT_TRUE(apply_cpu_request(request, root.path()).empty());
  const auto cpus = read_cpu_frequencies(root.path());
  EXPECT_EQ(cpus[0].governor, "performance");
  EXPECT_EQ(cpus[0].min_khz, 1510400);
  EXPECT_EQ(cpus[1].min_khz, 960000);
  EXPECT_EQ(cpus[1].max_khz, 960000);
}

TEST(CpuPower, RestoresAndPassesOverCpusThatAreOffline) {
  const FakeRoot root;
  test::fake_cpu_frequency(root, 3, "schedutil", 729600, 115200, 1510400);
  SavedSettings saved;
  save_cpu_settings(saved, {true, true, true}, root.path());
  ASSERT_EQ(saved.cpus.size(), 3U);
  CpuRequest request;
  request.governor = "powersave";
  request.min_khz = 200000;
  request.max_khz = 300000;
  EXPECT_TRUE(apply_cpu_request(request, root.path()).empty());
  std::filesystem::remove_all(root.path() / "sys/devices/system/cpu/cpu2");
  EXPECT_TRUE(restore_cpu_settings(saved, root.path()).empty());
  const auto cpus = read_cpu_frequencies(root.path());
  ASSERT_EQ(cpus.size(), 2U);
  EXPECT_EQ(cpus[1].governor, "schedutil");
  EXPECT_EQ(cpus[1].min_khz, 115200);
  EXPECT_EQ(cpus[1].max_khz, 1510400);
}

TEST(CpuPower, SavesWhatWillBeChangedAndNoMore) {
  const FakeRoot root;
  test::fake_desktop(root);
  CpuRequest request;
  request.governor = "performance";
  SavedSettings saved;
  save_cpu_settings(saved, changed_by(request), root.path());
  ASSERT_EQ(saved.cpus.size(), 8U);
  EXPECT_EQ(saved.cpus[7].governor, "powersave");
  EXPECT_FALSE(saved.cpus[7].max_khz.has_value()) << "heat may hold it down now";
  EXPECT_FALSE(saved.turbo.has_value());
  request = {};
  request.max_khz = 1'000'000;
  request.turbo = false;
  saved = {};
  save_cpu_settings(saved, changed_by(request), root.path());
  EXPECT_EQ(saved.cpus[0].governor, "");
  EXPECT_EQ(saved.cpus[0].max_khz, 4'700'000);
  EXPECT_EQ(saved.turbo, true);
  request = {};
  request.turbo = false;
  saved = {};
  save_cpu_settings(saved, changed_by(request), root.path());
  EXPECT_TRUE(saved.cpus.empty());
}

TEST(CpuPower, NeverMakesAFile) {
  const FakeRoot root;
  root.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "schedutil\n");
  CpuRequest request;
  request.max_khz = 1;
  EXPECT_THROW((void)apply_cpu_request(request, root.path()), Error);
  EXPECT_FALSE(std::filesystem::exists(root.path() /
                                       "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq"));
}

// ---- modes

NvpModelConf conf_with_paths() {
  return parse_nvpmodel_conf(
      "< PARAM TYPE=FILE NAME=CPU_ONLINE >\nCORE_4 /sys/devices/system/cpu/cpu4/online\n"
      "< PARAM TYPE=CLOCK NAME=CPU >\nMAX_FREQ /sys/devices/system/cpu/cpu0/cpufreq/"
      "scaling_max_freq\n"
      "< PARAM TYPE=CLOCK NAME=GPU >\nMAX_FREQ /sys/class/devfreq/17000000.gpu/max_freq\n"
      "< POWER_MODEL ID=0 NAME=MAXN >\nCPU_ONLINE CORE_4 1\nCPU MAX_FREQ -1\n"
      "GPU MAX_FREQ 9223372036854775807\n"
      "< POWER_MODEL ID=1 NAME=7W >\nCPU_ONLINE CORE_4 0\nCPU MAX_FREQ 960000\n"
      "GPU MAX_FREQ 408000000\nEMC MAX_FREQ 1\n");
}

TEST(PowerModes, MismatchesAreFoundInTheFilesThatTheConfigurationNames) {
  const FakeRoot root;
  test::fake_jetpack6(root);
  root.write("sys/devices/system/cpu/cpu4/online", "1\n");
  const NvpModelConf conf = conf_with_paths();
  EXPECT_TRUE(mode_mismatches(conf, *conf.find(0), root.path()).empty());
  const auto lines = mode_mismatches(conf, *conf.find(1), root.path());
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "CORE_4 is on where the mode has it off");
  EXPECT_NE(lines[1].find("CPU may still run at 1510.4 MHz where the mode has at most 960 MHz"),
            std::string::npos);
  EXPECT_NE(lines[2].find("GPU may still run at 624.75 MHz"), std::string::npos);
  root.write("sys/class/devfreq/17000000.gpu/max_freq", "408000000\n");
  root.write("sys/class/devfreq/17000000.gpu/cur_freq", "624750000\n");
  const auto stuck = mode_mismatches(conf, *conf.find(1), root.path());
  ASSERT_EQ(stuck.size(), 3U);
  EXPECT_NE(stuck[2].find("GPU still sits at 624.75 MHz"), std::string::npos);
}

TEST(PowerModes, NamesGoBeforeIds) {
  const NvpModelConf conf =
      parse_nvpmodel_conf("< POWER_MODEL ID=0 NAME=10 >\n< POWER_MODEL ID=10 NAME=MAXN >\n");
  EXPECT_EQ(find_mode(conf, "10").id, 0);
  EXPECT_EQ(find_mode(conf, "maxn").id, 10);
  EXPECT_EQ(find_mode(conf, "0").id, 0);
  EXPECT_EQ(mode_list(conf), "10 (0) and MAXN (10)");
}

TEST(PowerModes, LoosenessIsFoundPerClock) {
  const FakeRoot root;
  test::fake_jetpack6(root);
  const auto lines = unlocked_clocks(root.path());
  EXPECT_EQ(lines.size(), 7U);
  EXPECT_EQ(lines.back(), "17000000.gpu is not locked, it runs from 306 to 624.75 MHz");
}

}  // namespace
}  // namespace hedge
