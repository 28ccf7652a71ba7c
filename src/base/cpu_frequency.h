// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hedge {

/// What /sys/devices/system/cpu/cpuN/cpufreq tells of one CPU, in kHz. Absent: not told.
struct CpuFrequency {
  int cpu = 0;
  std::filesystem::path folder;  ///< The cpufreq folder.
  std::string governor;
  std::optional<std::int64_t> current_khz;
  std::optional<std::int64_t> min_khz;           ///< The governor may choose from here
  std::optional<std::int64_t> max_khz;           ///< to here.
  std::optional<std::int64_t> hardware_min_khz;  ///< What can be set.
  std::optional<std::int64_t> hardware_max_khz;
  std::optional<std::int64_t> base_khz;  ///< Without turbo; intel_pstate alone tells it.
};

/// Those of all CPUs that have one, by number: none in most containers and virtual machines.
[[nodiscard]] std::vector<CpuFrequency> read_cpu_frequencies(const std::filesystem::path& root);

/// The governors of all CPUs, each once: "performance" or "performance, schedutil". Empty where
/// none is told.
[[nodiscard]] std::string governor_text(const std::vector<CpuFrequency>& cpus);

/// The switch of turbo boost: intel_pstate's no_turbo or cpufreq's boost.
struct TurboSwitch {
  std::filesystem::path file;
  bool on_is_one = true;  ///< no_turbo is 0 where turbo is on.
  bool on = false;
};
/// Nothing where the system has no such switch, or does not say.
[[nodiscard]] std::optional<TurboSwitch> read_turbo(const std::filesystem::path& root);

}  // namespace hedge
