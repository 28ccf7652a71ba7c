// SPDX-License-Identifier: Apache-2.0
// Meters on the system files of boards and machines.
#include "energy/meters.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "energy/probes.h"
#include "hedge/error.h"
#include "support/fake_root.h"

namespace hedge {
namespace {

using test::FakeRoot;

struct RailLine {
  std::string name;
  bool in_total;
  double value;
};

/// What a meter shows now.
std::vector<RailLine> shown(PowerMeter& meter) {
  std::vector<RailReading> readings(meter.rails().size());
  meter.read(readings);
  std::vector<RailLine> lines;
  for (std::size_t i = 0; i < readings.size(); ++i) {
    lines.push_back({meter.rails()[i].name, meter.rails()[i].in_total, readings[i].value});
  }
  return lines;
}

void hwmon_channel(const FakeRoot& root, const std::string& hwmon, int channel, const char* label,
                   int millivolts, int milliamperes) {
  root.write(fmt::format("{}/in{}_label", hwmon, channel), fmt::format("{}\n", label));
  root.write(fmt::format("{}/in{}_input", hwmon, channel), fmt::format("{}\n", millivolts));
  root.write(fmt::format("{}/curr{}_input", hwmon, channel), fmt::format("{}\n", milliamperes));
}

constexpr const char* kOrinNano = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1";

/// Orin Nano, JetPack 5 and 6: three rails, then the sum of the shunts, which is none.
void orin_nano(const FakeRoot& root) {
  root.write(std::string(kOrinNano) + "/name", "ina3221\n");
  hwmon_channel(root, kOrinNano, 1, "VDD_IN", 5040, 1200);
  hwmon_channel(root, kOrinNano, 2, "VDD_CPU_GPU_CV", 5040, 400);
  hwmon_channel(root, kOrinNano, 3, "VDD_SOC", 5032, 304);
  hwmon_channel(root, kOrinNano, 7, "sum of shunt voltages", 7, 1);
  root.write(std::string(kOrinNano) + "/shunt1_resistor", "5000\n");
}

TEST(Ina3221, OrinNanoCountsItsModuleRailAlone) {
  const FakeRoot root;
  orin_nano(root);
  const MeterProbe probe = probe_ina3221(root.path());
  ASSERT_TRUE(probe.meter) << probe.reason;
  const auto lines = shown(*probe.meter);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].name, "VDD_IN");
  EXPECT_TRUE(lines[0].in_total);
  EXPECT_DOUBLE_EQ(lines[0].value, 6.048);
  EXPECT_EQ(lines[1].name, "VDD_CPU_GPU_CV");
  EXPECT_FALSE(lines[1].in_total);
  EXPECT_DOUBLE_EQ(lines[1].value, 2.016);
  EXPECT_FALSE(lines[2].in_total);
  // 40 uV over 5 mOhm are 8 mA, at 5.04 V.
  EXPECT_NEAR(probe.meter->rails()[0].resolution, 0.04032, 1e-9);
  EXPECT_NE(probe.meter->facts().covers.find("module"), std::string::npos);
}

TEST(Ina3221, ReadsAgainAndFollowsTheSensor) {
  const FakeRoot root;
  orin_nano(root);
  const MeterProbe probe = probe_ina3221(root.path());
  ASSERT_TRUE(probe.meter);
  const std::string current = std::string(kOrinNano) + "/curr1_input";
  root.write(current, "2000\n");
  EXPECT_DOUBLE_EQ(shown(*probe.meter)[0].value, 10.08);
  root.write(current, "");  // As of a sensor that is gone.
  EXPECT_TRUE(std::isnan(shown(*probe.meter)[0].value));
  EXPECT_DOUBLE_EQ(shown(*probe.meter)[1].value, 2.016);
  root.write(current, "1000\n");
  EXPECT_DOUBLE_EQ(shown(*probe.meter)[0].value, 5.04);
}

TEST(Ina3221, AReadErrorIsNoReading) {
  const FakeRoot root;
  orin_nano(root);
  const auto current = root.path() / kOrinNano / "curr1_input";
  std::filesystem::remove(current);
  std::filesystem::create_symlink("/proc/self/mem", current);  // Reading it at 0 is EIO.
  const MeterProbe probe = probe_ina3221(root.path());
  ASSERT_TRUE(probe.meter);
  EXPECT_TRUE(std::isnan(shown(*probe.meter)[0].value));
}

TEST(Ina3221, AgxOrinAddsRailsForWantOfOne) {
  const FakeRoot root;
  const std::string first = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3";
  const std::string second = "sys/bus/i2c/drivers/ina3221/1-0041/hwmon/hwmon4";
  for (const std::string& chip : {first, second}) root.write(chip + "/name", "ina3221\n");
  hwmon_channel(root, first, 1, "VDD_GPU_SOC", 20000, 300);
  hwmon_channel(root, first, 2, "VDD_CPU_CV", 20000, 100);
  hwmon_channel(root, first, 3, "VIN_SYS_5V0", 5000, 800);
  hwmon_channel(root, second, 1, "NC", 0, 0);
  hwmon_channel(root, second, 2, "VDDQ_VDD2_1V8AO", 5000, 200);
  const MeterProbe probe = probe_ina3221(root.path());
  ASSERT_TRUE(probe.meter);
  const auto lines = shown(*probe.meter);
  ASSERT_EQ(lines.size(), 4U);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(lines[i].in_total) << lines[i].name;
  EXPECT_EQ(lines[3].name, "VDDQ_VDD2_1V8AO");
  EXPECT_FALSE(lines[3].in_total);  // Fed by VIN_SYS_5V0.
  EXPECT_NE(probe.meter->facts().covers.find("added"), std::string::npos);
}

TEST(Ina3221, ClassAndDriverLeadToOneChip) {
  const FakeRoot root;
  orin_nano(root);
  root.write("sys/class/hwmon/hwmon0/name", "nvme\n");
  std::filesystem::create_symlink(root.path() / kOrinNano, root.path() / "sys/class/hwmon/hwmon1");
  const MeterProbe probe = probe_ina3221(root.path());
  ASSERT_TRUE(probe.meter);
  EXPECT_EQ(probe.meter->rails().size(), 3U);
}

/// Jetson Nano and Xavier NX with JetPack 4.
TEST(Ina3221, JetPack4HasTheIioLayout) {
  const FakeRoot root;
  const std::string device = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/";
  const char* labels[] = {"POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU"};
  const char* milliwatts[] = {"4512\n", "120\n", "801\n"};
  for (int i = 0; i < 3; ++i) {
    root.write(fmt::format("{}rail_name_{}", device, i), fmt::format("{}\n", labels[i]));
    root.write(fmt::format("{}in_power{}_input", device, i), milliwatts[i]);
  }
  const MeterProbe probe = probe_ina3221(root.path());
  ASSERT_TRUE(probe.meter) << probe.reason;
  const auto lines = shown(*probe.meter);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].name, "POM_5V_IN");
  EXPECT_DOUBLE_EQ(lines[0].value, 4.512);
  EXPECT_TRUE(lines[0].in_total);
  EXPECT_FALSE(lines[1].in_total);
}

void rapl_domain(const FakeRoot& root, const std::string& folder, const char* name,
                 const char* energy, const char* range = "262143328850\n") {
  const std::string path = "sys/class/powercap/" + folder;
  root.write(path + "/name", std::string(name) + "\n");
  root.write(path + "/energy_uj", energy);
  root.write(path + "/max_energy_range_uj", range);
}

TEST(Rapl, CountsPackagesAndNotTheirParts) {
  const FakeRoot root;
  rapl_domain(root, "intel-rapl:0", "package-0", "1000000\n");
  rapl_domain(root, "intel-rapl:0/intel-rapl:0:0", "core", "400000\n");
  rapl_domain(root, "intel-rapl:0/intel-rapl:0:1", "dram", "100000\n");
  rapl_domain(root, "intel-rapl:0:0", "core", "400000\n");  // The class shows them again.
  rapl_domain(root, "intel-rapl:1", "package-1", "2000000\n");
  rapl_domain(root, "intel-rapl:2", "psys", "9000000\n");
  rapl_domain(root, "intel-rapl-mmio:0", "package-0", "1000000\n");
  root.write("sys/class/powercap/intel-rapl/enabled", "1\n");
  const MeterProbe probe = probe_rapl(root.path());
  ASSERT_TRUE(probe.meter) << probe.reason;
  double total = 0;
  std::vector<std::string> names;
  for (const RailLine& line : shown(*probe.meter)) {
    names.push_back(line.name);
    if (line.in_total) total += line.value;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"package-0", "package-0/core", "package-0/dram",
                                             "package-1", "psys"}));
  EXPECT_DOUBLE_EQ(total, 3);
  EXPECT_EQ(probe.meter->rails()[0].kind, RailKind::kEnergy);
  EXPECT_DOUBLE_EQ(probe.meter->rails()[0].wraps_at.value_or(0), 262143.32885);
}

TEST(Rapl, PsysAloneCounts) {
  const FakeRoot root;
  rapl_domain(root, "intel-rapl:0", "psys", "9000000\n");
  const MeterProbe probe = probe_rapl(root.path());
  ASSERT_TRUE(probe.meter);
  EXPECT_TRUE(probe.meter->rails()[0].in_total);
}

/// Root may read everything, so the test becomes somebody else for a moment.
class AsNobody {
 public:
  AsNobody() : changed_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() {
    if (changed_ && ::seteuid(0) != 0) std::abort();
  }

 private:
  bool changed_;
};

TEST(Rapl, SaysWhatHelpsWithoutPermission) {
  const FakeRoot root;
  rapl_domain(root, "intel-rapl:0", "package-0", "1000000\n");
  ::chmod(root.path().c_str(), 0755);
  ::chmod((root.path() / "sys/class/powercap/intel-rapl:0/energy_uj").c_str(), 0400);
  if (::geteuid() != 0) {
    ::chmod((root.path() / "sys/class/powercap/intel-rapl:0/energy_uj").c_str(), 0);
  }
  MeterProbe probe;
  {
    const AsNobody nobody;
    probe = probe_rapl(root.path());
  }
  EXPECT_FALSE(probe.meter);
  EXPECT_NE(probe.reason.find("sudo chmod a+r"), std::string::npos) << probe.reason;
}

TEST(Ina3221, SaysWhatHelpsWithoutPermission) {
  const FakeRoot root;
  orin_nano(root);
  ::chmod(root.path().c_str(), 0755);
  for (int i = 1; i <= 3; ++i) {
    const auto file = root.path() / kOrinNano / fmt::format("curr{}_input", i);
    ::chmod(file.c_str(), ::geteuid() == 0 ? 0400 : 0);
  }
  MeterProbe probe;
  {
    const AsNobody nobody;
    probe = probe_ina3221(root.path());
  }
  EXPECT_FALSE(probe.meter);
  EXPECT_TRUE(probe.present);
  EXPECT_NE(probe.reason.find("VDD_IN"), std::string::npos) << probe.reason;
  EXPECT_NE(probe.reason.find("sudo chmod a+r"), std::string::npos) << probe.reason;
}

void battery(const FakeRoot& root, const std::string& name, const char* status,
             const char* power_uw) {
  const std::string folder = "sys/class/power_supply/" + name + "/";
  root.write(folder + "type", "Battery\n");
  root.write(folder + "status", std::string(status) + "\n");
  if (power_uw != nullptr) root.write(folder + "power_now", power_uw);
}

TEST(Battery, CountsWhileItDischarges) {
  const FakeRoot root;
  root.write("sys/class/power_supply/AC/type", "Mains\n");
  battery(root, "BAT0", "Discharging", "8123000\n");
  battery(root, "mouse", "Discharging", "1000\n");
  root.write("sys/class/power_supply/mouse/scope", "Device\n");
  const MeterProbe probe = probe_battery(root.path());
  ASSERT_TRUE(probe.meter) << probe.reason;
  ASSERT_EQ(probe.meter->rails().size(), 1U);
  EXPECT_DOUBLE_EQ(shown(*probe.meter)[0].value, 8.123);
  root.write("sys/class/power_supply/BAT0/status", "Charging\n");
  EXPECT_TRUE(std::isnan(shown(*probe.meter)[0].value));
}

TEST(Battery, MultipliesCurrentAndVoltage) {
  const FakeRoot root;
  battery(root, "BAT1", "Discharging", nullptr);
  root.write("sys/class/power_supply/BAT1/current_now", "-500000\n");
  root.write("sys/class/power_supply/BAT1/voltage_now", "12000000\n");
  const MeterProbe probe = probe_battery(root.path());
  ASSERT_TRUE(probe.meter) << probe.reason;
  EXPECT_DOUBLE_EQ(shown(*probe.meter)[0].value, 6);
}

TEST(Battery, OfTwoTheIdleOneIsZero) {
  const FakeRoot root;
  battery(root, "BAT0", "Discharging", "9000000\n");
  battery(root, "BAT1", "Not charging", "0\n");
  const MeterProbe probe = probe_battery(root.path());
  ASSERT_TRUE(probe.meter);
  EXPECT_DOUBLE_EQ(shown(*probe.meter)[1].value, 0);
}

TEST(Battery, OnMainsThereIsNone) {
  const FakeRoot root;
  battery(root, "BAT0", "Full", "0\n");
  const MeterProbe probe = probe_battery(root.path());
  EXPECT_FALSE(probe.meter);
  EXPECT_TRUE(probe.present);
  EXPECT_NE(probe.reason.find("unplug"), std::string::npos);
}

MeterOptions at(const FakeRoot& root) {
  return {.root = root.path(), .nvml_library = "/nonexistent/libnvidia-ml.so.1"};
}

TEST(Meters, EmptyMachineTellsEachReason) {
  const FakeRoot root;
  for (const MeterStatus& status : find_meters(at(root))) {
    EXPECT_FALSE(status.meter);
    EXPECT_FALSE(status.unavailable_reason.empty()) << status.name;
    EXPECT_EQ(status.unavailable_reason.find('\n'), std::string::npos);
  }
  const MeterChoice choice = open_meter("auto", at(root));
  EXPECT_FALSE(choice.meter);
  EXPECT_LT(choice.reason.size(), 80U);
  EXPECT_NE(choice.reason.find("RAPL"), std::string::npos) << choice.reason;
  EXPECT_EQ(open_meter("nvml", at(root)).reason.find("nvml: "), 0U);
}

TEST(Meters, WhatIsThereAndCannotBeReadIsNamed) {
  const FakeRoot root;
  battery(root, "BAT0", "Charging", "9000000\n");
  EXPECT_EQ(open_meter("auto", at(root)).reason.find("battery: "), 0U);
  root.write("sys/class/powercap/intel-rapl:0/name", "package-0\n");  // and no counter in it
  const std::string reason = open_meter("auto", at(root)).reason;
  EXPECT_NE(reason.find("rapl: "), std::string::npos) << reason;
  EXPECT_NE(reason.find("; battery: "), std::string::npos) << reason;
  // Beside one that is taken, too: it may see less.
  battery(root, "BAT0", "Discharging", "9000000\n");
  const MeterChoice choice = open_meter("auto", at(root));
  ASSERT_TRUE(choice.meter);
  EXPECT_EQ(choice.meter->facts().name, "battery");
  EXPECT_EQ(choice.reason.find("rapl: "), 0U);
}

TEST(Meters, BestIsTheWidest) {
  const FakeRoot root;
  battery(root, "BAT0", "Discharging", "8123000\n");
  EXPECT_EQ(open_meter("auto", at(root)).meter->facts().name, "battery");
  rapl_domain(root, "intel-rapl:0", "package-0", "1000000\n");
  EXPECT_EQ(open_meter("auto", at(root)).meter->facts().name, "rapl");
  orin_nano(root);
  EXPECT_EQ(open_meter("auto", at(root)).meter->facts().name, "ina3221");
  EXPECT_EQ(open_meter("battery", at(root)).meter->facts().name, "battery");
}

TEST(Meters, RefusesNamesThatAreNone) {
  const FakeRoot root;
  try {
    (void)open_meter("rapll", at(root));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    EXPECT_NE(std::string(error.what()).find("did you mean rapl?"), std::string::npos);
  }
  EXPECT_THROW((void)open_meter("", at(root)), Error);
  EXPECT_THROW((void)open_meter("rapl+rapl", at(root)), Error);
  for (const char* name : {"rapl+battery", "rapl+", "nvml+none", "rapl+auto"}) {
    EXPECT_THROW((void)open_meter(name, at(root)), Error) << name;
  }
}

TEST(Meters, OfSeveralEachThatIsMissingIsNamed) {
  const FakeRoot root;
  EXPECT_EQ(open_meter("rapl+nvml", at(root)).reason, "rapl: not there; nvml: not there");
  root.write("sys/class/powercap/intel-rapl:0/name", "package-0\n");  // and no counter in it
  const std::string reason = open_meter("nvml+rapl", at(root)).reason;
  EXPECT_EQ(reason.find("nvml: not there; rapl: "), 0U) << reason;
  EXPECT_EQ(reason.find("rapl: not there"), std::string::npos) << reason;
  const FakeRoot other;
  rapl_domain(other, "intel-rapl:0", "package-0", "1000000\n");
  const MeterChoice choice = open_meter("rapl+nvml", at(other));
  EXPECT_FALSE(choice.meter);
  EXPECT_EQ(choice.reason, "rapl: is there, alone; nvml: not there");
}

}  // namespace
}  // namespace hedge
