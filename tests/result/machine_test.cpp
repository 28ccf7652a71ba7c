// SPDX-License-Identifier: Apache-2.0
#include "result/machine.h"
#include "support/fake_root.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

namespace hedge {
namespace {

using namespace std::string_view_literals;

using test::FakeRoot;

bool has_note(const MachineFacts& machine, std::string_view part) {
  return std::any_of(machine.notes.begin(), machine.notes.end(),
                     [&](const std::string& note) { return note.find(part) != std::string::npos; });
}

constexpr const char* kX86 =
    "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Core(TM) i5-8500 CPU @ "
    "3.00GHz\nflags\t\t: fpu vme sse2\n\nprocessor\t: 1\nmodel name\t: Intel(R) Core(TM) i5-8500 "
    "CPU @ 3.00GHz\nflags\t\t: fpu vme sse2\n";

std::string arm_core(int index, const char* implementer, const char* part) {
  return "processor\t: " + std::to_string(index) +
         "\nBogoMIPS\t: 62.50\nCPU implementer\t: " + implementer +
         "\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: " + part +
         "\nCPU revision\t: 1\n\n";
}

TEST(Machine, X86Desktop) {
  const FakeRoot root;
  root.write("proc/cpuinfo", kX86);
  root.write("proc/sys/kernel/hostname", "bench\n");
  root.write("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
  root.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
  root.write("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n");
  root.write("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
  const MachineFacts machine = collect_machine_facts(root.path());
  EXPECT_EQ(machine.hostname, "bench");
  EXPECT_EQ(machine.cpu, "Intel(R) Core(TM) i5-8500 CPU @ 3.00GHz");
  EXPECT_EQ(machine.cores, 2);
  EXPECT_EQ(machine.os, "Debian GNU/Linux 12 (bookworm)");
  EXPECT_EQ(machine.governor, "performance");
  EXPECT_FALSE(machine.gpu.has_value());
  EXPECT_EQ(machine.notes, build_notes());
}

TEST(Machine, WarnsOfWhatMakesLatencyVary) {
  const FakeRoot root;
  root.write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Xeon\nflags\t\t: sse hypervisor avx\n");
  root.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "schedutil\n");
  root.write("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n");
  root.write("sys/devices/system/cpu/cpufreq/boost", "1\n");
  const MachineFacts machine = collect_machine_facts(root.path());
  EXPECT_EQ(machine.governor, "performance, schedutil");
  EXPECT_TRUE(has_note(machine, "governor"));
  EXPECT_TRUE(has_note(machine, "turbo"));
  EXPECT_TRUE(has_note(machine, "virtual machine"));
}

TEST(Machine, JetsonIsNamedByPartAndBoard) {
  const FakeRoot root;
  std::string cpuinfo;
  for (int i = 0; i < 6; ++i) cpuinfo += arm_core(i, "0x41", "0xd42");
  root.write("proc/cpuinfo", cpuinfo);
  // Strings of the device tree end in a zero byte.
  root.write("proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0"sv);
  const MachineFacts machine = collect_machine_facts(root.path());
  EXPECT_EQ(machine.cpu, "Cortex-A78AE (NVIDIA Jetson Orin Nano Developer Kit)");
  EXPECT_EQ(machine.cores, 6);
  EXPECT_FALSE(machine.power_mode.has_value());
}

TEST(Machine, PowerModeHasTheNameOfTheConfiguration) {
  const FakeRoot root;
  root.write("var/lib/nvpmodel/status", "pmode:0003\n");
  EXPECT_EQ(collect_machine_facts(root.path()).power_mode, "mode 3");
  root.write("etc/nvpmodel.conf", "< POWER_MODEL ID=3 NAME=7W >\n");
  EXPECT_EQ(collect_machine_facts(root.path()).power_mode, "7W");
}

TEST(Machine, BigLittleIsCounted) {
  std::string cpuinfo;
  for (int i = 0; i < 4; ++i) cpuinfo += arm_core(i, "0x41", "0xd05");
  for (int i = 4; i < 8; ++i) cpuinfo += arm_core(i, "0x41", "0xd0b");
  EXPECT_EQ(cpu_name(cpuinfo, ""), "4x Cortex-A55 + 4x Cortex-A76");
}

TEST(Machine, UnknownArmPartsKeepTheirNumbers) {
  EXPECT_EQ(cpu_name(arm_core(0, "0x61", "0x022"), ""), "Arm implementer 0x61 part 0x022");
}

TEST(Machine, OldArmKernelsNameTheArchitectureWhichSaysLess) {
  EXPECT_EQ(
      cpu_name("processor\t: 0\nmodel name\t: ARMv7 Processor rev 3 (v7l)\nCPU implementer\t: "
               "0x41\nCPU part\t: 0xd08\nHardware\t: BCM2711\n",
               "Raspberry Pi 4 Model B Rev 1.2"),
      "Cortex-A72 (Raspberry Pi 4 Model B Rev 1.2)");
}

TEST(Machine, OsReleaseWithoutPrettyNameOrQuotes) {
  const FakeRoot root;
  root.write("usr/lib/os-release", "ID=alpine\nNAME=Alpine\n");
  EXPECT_EQ(collect_machine_facts(root.path()).os, "Alpine");
}

TEST(Machine, WhatCannotBeReadIsAbsent) {
  const FakeRoot root;
  const MachineFacts machine = collect_machine_facts(root.path());
  MachineFacts nothing;
  nothing.notes = build_notes();
  EXPECT_EQ(machine, nothing);
  EXPECT_EQ(collect_machine_facts(root.path() / "missing"), nothing);
  EXPECT_FALSE(peak_rss_bytes(root.path()).has_value());
}

TEST(Machine, ForeignBytesDoNoHarm) {
  const FakeRoot root;
  root.write("proc/cpuinfo", "::\n:\nprocessor\nCPU part\t: 0xzz\n\0\xff"sv);
  root.write("etc/os-release", "PRETTY_NAME=\"");
  root.write("proc/self/status", "VmHWM:\t lots kB\n");
  const MachineFacts machine = collect_machine_facts(root.path());
  EXPECT_EQ(machine.os, "\"");
  EXPECT_FALSE(peak_rss_bytes(root.path()).has_value());
}

TEST(Machine, ThisOneTellsSomething) {
  const MachineFacts machine = collect_machine_facts();
  EXPECT_TRUE(machine.hostname.has_value());
  EXPECT_GE(machine.cores.value_or(0), 1);
}

TEST(PeakRss, ReadsKibibytes) {
  const FakeRoot root;
  root.write("proc/self/status", "Name:\thedge\nVmPeak:\t  99999 kB\nVmHWM:\t   12345 kB\n");
  EXPECT_EQ(peak_rss_bytes(root.path()), 12345 * 1024);
  EXPECT_GT(peak_rss_bytes().value_or(0), 100'000);
}

}  // namespace
}  // namespace hedge
