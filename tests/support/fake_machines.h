// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <string>

#include "support/fake_root.h"

namespace hedge::test {

// What /proc and /sys look like on some machines, as far as Hedge reads them.

inline void fake_cpu_frequency(const FakeRoot& root, int cpus, const std::string& governor,
                               int current_khz, int min_khz, int max_khz) {
  for (int i = 0; i < cpus; ++i) {
    const std::string folder = fmt::format("sys/devices/system/cpu/cpu{}/cpufreq/", i);
    root.write(folder + "scaling_governor", governor + "\n");
    root.write(folder + "scaling_cur_freq", fmt::format("{}\n", current_khz));
    root.write(folder + "scaling_min_freq", fmt::format("{}\n", min_khz));
    root.write(folder + "scaling_max_freq", fmt::format("{}\n", max_khz));
    root.write(folder + "cpuinfo_min_freq", fmt::format("{}\n", min_khz));
    root.write(folder + "cpuinfo_max_freq", fmt::format("{}\n", max_khz));
    root.write(folder + "scaling_available_governors", "performance schedutil powersave \n");
  }
}

inline void fake_load(const FakeRoot& root, int cpus, int busy, int idle, int own) {
  std::string stat = fmt::format("cpu  {} 0 0 {} 0 0 0 0 0 0\n", busy, idle);
  for (int i = 0; i < cpus; ++i) stat += fmt::format("cpu{} 0 0 0 0 0 0 0 0 0 0\n", i);
  root.write("proc/stat", stat + "intr 1 2 3\n");
  root.write("proc/self/stat",
             fmt::format("77 (a ) b) R 1 77 77 0 -1 4194304 1 0 0 0 {} 0 0 0 20 0 1 0 5\n", own));
  root.write("proc/self/schedstat", "9000 2500 12\n");
  root.write("proc/loadavg", "0.52 0.41 0.30 1/200 4242\n");
}

inline void fake_zone(const FakeRoot& root, int index, const std::string& type,
                      const std::string& milli) {
  const std::string folder = fmt::format("sys/class/thermal/thermal_zone{}/", index);
  root.write(folder + "type", type + "\n");
  root.write(folder + "temp", milli + "\n");
}

inline void fake_cooling(const FakeRoot& root, int index, const std::string& type, int state) {
  const std::string folder = fmt::format("sys/class/thermal/cooling_device{}/", index);
  root.write(folder + "type", type + "\n");
  root.write(folder + "cur_state", fmt::format("{}\n", state));
}

/// Orin Nano with JetPack 6.
inline void fake_jetpack6(const FakeRoot& root) {
  fake_cpu_frequency(root, 6, "schedutil", 729600, 115200, 1510400);
  fake_load(root, 6, 1000, 9000, 100);
  root.write("etc/nv_tegra_release", "# R36 (release), REVISION: 4.0\n");
  fake_zone(root, 0, "cpu-thermal", "48500");
  root.write("sys/class/thermal/thermal_zone0/trip_point_0_type", "critical\n");
  root.write("sys/class/thermal/thermal_zone0/trip_point_0_temp", "104500\n");
  root.write("sys/class/thermal/thermal_zone0/trip_point_1_type", "passive\n");
  root.write("sys/class/thermal/thermal_zone0/trip_point_1_temp", "99000\n");
  fake_zone(root, 1, "gpu-thermal", "47000");
  fake_zone(root, 2, "cv0-thermal", "-256000");
  fake_cooling(root, 0, "pwm-fan", 2);
  fake_cooling(root, 1, "cpu-throttle-alert", 0);
  root.write("sys/class/hwmon/hwmon3/name", "soctherm_oc\n");
  root.write("sys/class/hwmon/hwmon3/oc1_event_cnt", "0\n");
  root.write("sys/class/hwmon/hwmon3/oc3_event_cnt", "7\n");
  const std::string gpu = "sys/class/devfreq/17000000.gpu/";
  root.write(gpu + "governor", "nvhost_podgov\n");
  root.write(gpu + "cur_freq", "306000000\n");
  root.write(gpu + "min_freq", "306000000\n");
  root.write(gpu + "max_freq", "624750000\n");
  root.write("var/lib/nvpmodel/status", "pmode:0001\n");
  root.write("etc/nvpmodel.conf",
             "< POWER_MODEL ID=0 NAME=15W >\nCPU_A78_0 MAX_FREQ 1510400\n"
             "< POWER_MODEL ID=1 NAME=7W >\nCPU_A78_0 MAX_FREQ 960000\n< PM_CONFIG DEFAULT=0 >\n");
}

/// The same board with JetPack 5: other names.
inline void fake_jetpack5(const FakeRoot& root) {
  fake_jetpack6(root);
  std::filesystem::remove_all(root.path() / "sys/class/devfreq");
  const std::string gpu = "sys/class/devfreq/17000000.ga10b/";
  root.write(gpu + "governor", "nvhost_podgov\n");
  root.write(gpu + "cur_freq", "624750000\n");
  root.write(gpu + "device/of_node/name", std::string("ga10b\0", 6));
  fake_zone(root, 0, "CPU-therm", "48500");
  fake_zone(root, 1, "GPU-therm", "47000");
  fake_zone(root, 2, "CV0-therm", "");
}

/// Jetson Nano with JetPack 4: no over-current counters.
inline void fake_jetpack4(const FakeRoot& root) {
  fake_cpu_frequency(root, 4, "schedutil", 1479000, 102000, 1479000);
  fake_load(root, 4, 1000, 9000, 100);
  root.write("etc/nv_tegra_release", "# R32 (release), REVISION: 7.1\n");
  fake_zone(root, 0, "AO-therm", "41000");
  fake_zone(root, 1, "CPU-therm", "33500");
  fake_zone(root, 4, "PMIC-Die", "100000");
  fake_cooling(root, 0, "pwm-fan", 0);
  fake_cooling(root, 1, "gpu-balanced", 0);
  root.write("sys/class/devfreq/57000000.gpu/cur_freq", "76800000\n");
  root.write("var/lib/nvpmodel/status", "pmode:0000 fmode:quiet\n");
  root.write("etc/nvpmodel.conf",
             "< POWER_MODEL ID=0 NAME=MAXN >\nCPU_ONLINE CORE_0 1\nGPU MAX_FREQ 921600000\n"
             "EMC MAX_FREQ 0\n< POWER_MODEL ID=1 NAME=5W >\nCPU_ONLINE CORE_2 0\n");
}

/// A PC of 8 CPUs, intel_pstate, turbo on.
inline void fake_desktop(const FakeRoot& root) {
  fake_cpu_frequency(root, 8, "powersave", 800000, 800000, 4700000);
  for (int i = 0; i < 8; ++i) {
    const std::string cpu = fmt::format("sys/devices/system/cpu/cpu{}/", i);
    root.write(cpu + "cpufreq/base_frequency", "3600000\n");
    root.write(cpu + "thermal_throttle/core_throttle_count", "3\n");
    root.write(cpu + "thermal_throttle/package_throttle_count", "5\n");
  }
  fake_load(root, 8, 1000, 9000, 100);
  root.write("proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: i7\n");
  root.write("sys/devices/system/cpu/intel_pstate/no_turbo", "0\n");
  fake_zone(root, 0, "x86_pkg_temp", "52000");
  fake_cooling(root, 0, "Processor", 0);
  fake_cooling(root, 1, "Processor", 0);
  fake_cooling(root, 2, "intel_powerclamp", -1);
}

inline void fake_laptop(const FakeRoot& root) {
  fake_desktop(root);
  root.write("sys/class/power_supply/AC/type", "Mains\n");
  root.write("sys/class/power_supply/AC/online", "0\n");
  root.write("sys/class/power_supply/BAT0/type", "Battery\n");
  root.write("sys/class/power_supply/BAT0/status", "Discharging\n");
  root.write("sys/class/power_supply/mouse/type", "Battery\n");
  root.write("sys/class/power_supply/mouse/scope", "Device\n");
  root.write("sys/class/power_supply/mouse/status", "Full\n");
  root.write("sys/firmware/acpi/platform_profile", "low-power\n");
}

}  // namespace hedge::test
