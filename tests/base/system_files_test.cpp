// SPDX-License-Identifier: Apache-2.0
#include "base/system_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "base/cpu_frequency.h"
#include "base/nvpmodel.h"
#include "hedge/error.h"
#include "support/fake_machines.h"

namespace hedge {
namespace {

using test::FakeRoot;

TEST(SystemFiles, TellWhyTheyCannotBeRead) {
  const FakeRoot root;
  root.write("there", " 42 \nmore\n");
  EXPECT_EQ(try_read_system_file(root.path() / "there").text, " 42 \nmore\n");
  EXPECT_EQ(read_system_line(root.path() / "there"), "42");
  EXPECT_EQ(read_system_integer(root.path() / "there"), 42);
  EXPECT_EQ(try_read_system_file(root.path() / "absent").error, ENOENT);
  EXPECT_EQ(try_read_system_file(root.path()).error, EISDIR);
  EXPECT_FALSE(read_system_integer(root.path() / "absent").has_value());
}

TEST(SystemFiles, PipesDoNotMakeThemWait) {
  const FakeRoot root;
  const auto pipe = root.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(read_system_file(pipe), "");
}

TEST(SystemFiles, EntriesAreOrderedByNumber) {
  const FakeRoot root;
  for (const char* name : {"cpu10", "cpu2", "cpufreq", "cpu0", "node0"})
    root.write(std::string(name) + "/x", "");
  std::vector<std::string> names;
  for (const auto& entry : list_system_entries(root.path(), "cpu"))
    names.push_back(entry.filename().string());
  EXPECT_EQ(names, (std::vector<std::string>{"cpu0", "cpu2", "cpu10", "cpufreq"}));
  EXPECT_TRUE(list_system_entries(root.path() / "absent").empty());
}

TEST(SystemFiles, RootComesFromTheEnvironment) {
  ASSERT_EQ(::setenv("HEDGE_SYSFS_ROOT", "/somewhere", 1), 0);
  EXPECT_EQ(system_root(), "/somewhere");
  ASSERT_EQ(::setenv("HEDGE_SYSFS_ROOT", "", 1), 0);
  EXPECT_EQ(system_root(), "/");
  ASSERT_EQ(::unsetenv("HEDGE_SYSFS_ROOT"), 0);
  EXPECT_EQ(system_root(), "/");
}

TEST(CpuFrequencies, AreReadPerCpu) {
  const FakeRoot root;
  test::fake_cpu_frequency(root, 12, "schedutil", 729600, 115200, 1510400);
  root.write("sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "performance\n");
  const auto cpus = read_cpu_frequencies(root.path());
  ASSERT_EQ(cpus.size(), 12U);
  EXPECT_EQ(cpus[11].cpu, 11);
  EXPECT_EQ(cpus[11].current_khz, 729600);
  EXPECT_EQ(cpus[11].min_khz, 115200);
  EXPECT_EQ(cpus[11].max_khz, 1510400);
  EXPECT_FALSE(cpus[11].base_khz.has_value());
  EXPECT_EQ(governor_text(cpus), "performance, schedutil");
}

TEST(Turbo, HasTwoSwitchesOfOppositeSense) {
  const FakeRoot root;
  EXPECT_FALSE(read_turbo(root.path()).has_value());
  root.write("sys/devices/system/cpu/cpufreq/boost", "1\n");
  EXPECT_TRUE(read_turbo(root.path())->on);
  root.write("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
  EXPECT_FALSE(read_turbo(root.path())->on);
  EXPECT_FALSE(read_turbo(root.path())->on_is_one);
}

// ---- nvpmodel

constexpr const char* kConf =
    "# Orin Nano\n"
    "< PARAM TYPE=FILE NAME=CPU_ONLINE >\n"
    "CORE_0 /sys/devices/system/cpu/cpu0/online\n"
    "\n"
    "< POWER_MODEL ID=0 NAME=15W >   # the default\n"
    "CPU_ONLINE CORE_0 1\r\n"
    "CPU_A78_0 MIN_FREQ 0\n"
    "CPU_A78_0 MAX_FREQ -1\n"
    "GPU MAX_FREQ 9223372036854775807\n"
    "EMC MAX_FREQ 18446744073709551615\n"
    "GPU_POWER_CONTROL_ENABLE GPU_PWR_CNTL_EN on\n"
    "\t< POWER_MODEL NAME=7W ID=3 >\n"
    "CPU_A78_0 MAX_FREQ 4294967296\n"
    "< PM_CONFIG DEFAULT=3 >\n"
    "< FAN_CONFIG DEFAULT=quiet >\n"
    "FAN a 7\n";

TEST(NvpModel, ReadsModesAndTheirSettings) {
  const NvpModelConf conf = parse_nvpmodel_conf(kConf);
  ASSERT_EQ(conf.modes.size(), 2U);
  EXPECT_EQ(conf.default_id, 3);
  const NvpMode& first = conf.modes[0];
  EXPECT_EQ(first.name, "15W");
  ASSERT_EQ(first.settings.size(), 6U);
  EXPECT_EQ(first.settings[0].argument, "CORE_0");
  EXPECT_EQ(first.settings[0].number, 1);
  EXPECT_EQ(first.settings[2].value, "-1");
  EXPECT_FALSE(first.settings[2].number.has_value()) << "not capped";
  EXPECT_EQ(first.settings[3].number, 9223372036854775807);
  EXPECT_FALSE(first.settings[4].number.has_value()) << "beyond 64 bits: caps nothing";
  EXPECT_EQ(first.settings[5].value, "on");
  ASSERT_EQ(conf.modes[1].settings.size(), 1U);
  EXPECT_EQ(conf.modes[1].settings[0].number, 4294967296) << "beyond 32 bits";
}

TEST(NvpModel, FindsByIdAndByNameOfEitherCase) {
  const NvpModelConf conf = parse_nvpmodel_conf(kConf);
  EXPECT_EQ(conf.find(3)->name, "7W");
  EXPECT_EQ(conf.find("7w")->id, 3);
  EXPECT_EQ(conf.find(1), nullptr);
  EXPECT_EQ(conf.find("MAXN"), nullptr);
  const auto prefixed = parse_nvpmodel_conf("< POWER_MODEL ID=2 NAME=MODE_15W >");
  EXPECT_EQ(prefixed.find("15W")->id, 2);
}

TEST(NvpModel, KnowsWhereSettingsGo) {
  const NvpModelConf conf = parse_nvpmodel_conf(kConf);
  ASSERT_EQ(conf.parameters.size(), 1U);
  const NvpSetting& online = conf.modes[0].settings[0];
  ASSERT_NE(conf.parameter_of(online), nullptr);
  EXPECT_EQ(conf.parameter_of(online)->path, "/sys/devices/system/cpu/cpu0/online");
  EXPECT_EQ(conf.parameter_of(online)->type, "FILE");
  EXPECT_EQ(conf.parameter_of(conf.modes[0].settings[1]), nullptr);
}

TEST(NvpModel, RefusesWhatItCannotTellApart) {
  const auto message = [](const char* text) -> std::string {
    try {
      (void)parse_nvpmodel_conf(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message("\n< POWER_MODEL ID=0 NAME=15W\n"),
            "line 2: a section that begins with '<' has no '>'");
  EXPECT_EQ(message("< POWER_MODEL NAME=15W >"), "line 1: ID is missing");
  EXPECT_EQ(message("< POWER_MODEL ID=x NAME=15W >"), "line 1: ID=x is no number from 0 on");
  EXPECT_EQ(message("< POWER_MODEL ID=-1 NAME=15W >"), "line 1: ID=-1 is no number from 0 on");
  EXPECT_EQ(message("< POWER_MODEL ID=0 >"), "line 1: a power model without a name (NAME=)");
  EXPECT_EQ(message("< POWER_MODEL ID=0 NAME=a >\n< POWER_MODEL ID=0 NAME=b >"),
            "line 2: a second power model with id 0");
  EXPECT_EQ(message("< PM_CONFIG >"), "line 1: DEFAULT is missing");
}

TEST(NvpModel, StatusAndAnswer) {
  EXPECT_EQ(parse_nvpmodel_status("pmode:0002\n"), 2);
  EXPECT_EQ(parse_nvpmodel_status("pmode:0010 fmode:quiet\n"), 10);
  EXPECT_FALSE(parse_nvpmodel_status("fmode:quiet").has_value());
  EXPECT_FALSE(parse_nvpmodel_status("pmode:").has_value());
  EXPECT_FALSE(parse_nvpmodel_status("pmode:99999999999").has_value());
  const NvpAnswer answer =
      parse_nvpmodel_answer("NVPM WARN: fan mode is not set!\nNV Power Mode: MODE_15W\n0\n");
  EXPECT_EQ(answer.name, "MODE_15W");
  EXPECT_EQ(answer.id, 0);
  EXPECT_EQ(parse_nvpmodel_answer("Error: something").name, "");
  EXPECT_FALSE(parse_nvpmodel_answer("7\nNV Power Mode: 15W\n").id.has_value());
}

TEST(NvpModel, CurrentModeNeverFails) {
  const FakeRoot root;
  EXPECT_EQ(current_power_mode(root.path()), "");
  root.write("var/lib/nvpmodel/status", "pmode:0003\n");
  EXPECT_EQ(current_power_mode(root.path()), "mode 3");
  root.write("etc/nvpmodel.conf", "< POWER_MODEL");
  EXPECT_EQ(current_power_mode(root.path()), "mode 3");
  root.write("etc/nvpmodel.conf", kConf);
  EXPECT_EQ(current_power_mode(root.path()), "7W");
}

}  // namespace
}  // namespace hedge
