// SPDX-License-Identifier: Apache-2.0
#include "base/cpu_frequency.h"

#include <set>

#include "base/system_files.h"

namespace hedge {

namespace fs = std::filesystem;

std::vector<CpuFrequency> read_cpu_frequencies(const fs::path& root) {
  std::vector<CpuFrequency> cpus;
  for (const fs::path& folder : list_system_entries(root / "sys/devices/system/cpu", "cpu")) {
    const auto number = parse_integer<int>(folder.filename().string().substr(3));
    if (!number) continue;  // cpufreq, cpuidle
    CpuFrequency cpu;
    cpu.cpu = *number;
    cpu.folder = folder / "cpufreq";
    cpu.governor = read_system_line(cpu.folder / "scaling_governor");
    cpu.current_khz = read_system_integer(cpu.folder / "scaling_cur_freq");
    cpu.min_khz = read_system_integer(cpu.folder / "scaling_min_freq");
    cpu.max_khz = read_system_integer(cpu.folder / "scaling_max_freq");
    cpu.hardware_min_khz = read_system_integer(cpu.folder / "cpuinfo_min_freq");
    cpu.hardware_max_khz = read_system_integer(cpu.folder / "cpuinfo_max_freq");
    cpu.base_khz = read_system_integer(cpu.folder / "base_frequency");
    // An offline CPU keeps the folder and answers EBUSY.
    if (!cpu.governor.empty() || cpu.current_khz || cpu.max_khz) cpus.push_back(std::move(cpu));
  }
  return cpus;
}

std::string governor_text(const std::vector<CpuFrequency>& cpus) {
  std::set<std::string> names;
  for (const CpuFrequency& cpu : cpus) {
    if (!cpu.governor.empty()) names.insert(cpu.governor);
  }
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::optional<TurboSwitch> read_turbo(const fs::path& root) {
  const fs::path cpu = root / "sys/devices/system/cpu";
  for (TurboSwitch turbo : {TurboSwitch{cpu / "intel_pstate/no_turbo", false},
                            TurboSwitch{cpu / "cpufreq/boost", true}}) {
    const auto value = read_system_integer(turbo.file);
    if (!value) continue;
    turbo.on = (*value != 0) == turbo.on_is_one;
    return turbo;
  }
  return std::nullopt;
}

}  // namespace hedge
