// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/cpu_frequency.h"
#include "base/device_clock.h"
#include "base/system_files.h"
#include "measure/nvidia_gpus.h"

namespace hedge {

// Under which conditions something was measured. The way of a measurement:
//
//   const Conditions before = snapshot_conditions();
//   ConditionsWatch watch;                              // conditions_watch.h, a thread of its own
//   ... measure ...
//   const ConditionsRange during = watch.stop();
//   const Conditions after = snapshot_conditions();
//   result.conditions = conditions_result(before, during, after);           // conditions_json.h
//   for (const auto& warning : condition_warnings(before, during, after))   // condition_warnings.h
//
// Absent means that the system does not tell; `missing` names it.

/// Time of CPUs since boot, in clock ticks (1/100 s), summed over all: the first line of
/// /proc/stat.
struct CpuTimes {
  std::int64_t busy = 0;   ///< user, nice, system, irq, softirq.
  std::int64_t steal = 0;  ///< Taken by other guests of the host.
  std::int64_t total = 0;  ///< With idle and iowait.
};

/// The snapshot of one moment.
struct Conditions {
  std::int64_t time_ns = 0;  ///< SteadyClock.
  std::vector<CpuFrequency> cpus;
  std::optional<bool> turbo;
  std::vector<DeviceClock> gpus;       ///< Of devfreq: a Jetson's.
  std::vector<NvidiaGpu> nvidia;       ///< Of NVML: discrete ones. Their heat is in `celsius` too.
  bool uses_cuda = false;              ///< This process does.
  std::optional<double> load_average;  ///< Of the last minute: runnable tasks, this program's too.
  std::int64_t cpu_count = 0;          ///< Online; 0 where unknown.
  std::optional<CpuTimes> cpu_times;
  std::optional<std::int64_t> own_ticks;  ///< CPU time of this process, user and system.
  /// Time for which the main thread could have run and had no CPU (its run queue's).
  std::optional<std::int64_t> waited_ns;
  std::map<std::string, double> celsius;  ///< By the name of the thermal zone.
  std::map<std::string, double> passive;  ///< Where a zone begins to throttle, degrees Celsius.
  std::map<std::string, std::int64_t> cooling;  ///< State of what cools; 0 is none.
  /// Events since boot, by name: of cores and packages (x86), over-current (Jetson), the quota of
  /// the control group. A rise is throttling.
  std::map<std::string, std::int64_t> throttle_events;
  std::optional<std::string> power_mode;     ///< nvpmodel's.
  std::optional<std::string> power_profile;  ///< ACPI's platform profile.
  std::optional<bool> on_battery;
  std::vector<std::string> missing;  ///< What is not told, and why where that is known.
};

/// Reads what the files below `root` tell, and NVML where it is; about 1 ms on a board. Never
/// throws.
[[nodiscard]] Conditions snapshot_conditions(const std::filesystem::path& root = system_root());

/// What changes fast, for many samples of a run: clocks, temperatures, cooling and CPU times alone,
/// of the CPUs that `first` found.
[[nodiscard]] Conditions sample_conditions(const Conditions& first,
                                           const std::filesystem::path& root = system_root());

/// Share of the CPUs' time between two snapshots of this process, in CPUs (1 is one CPU fully
/// busy).
struct CpuShares {
  double seconds = 0;
  double others = 0;  ///< Used by other processes.
  double own = 0;     ///< By this one, all threads.
  double steal = 0;   ///< Not given by the host.
  /// Share of the time for which this process's main thread waited for a CPU.
  std::optional<double> waited;
};
/// Nothing where a counter is missing or less than 0.2 s lie between the two: a tick is 10 ms.
[[nodiscard]] std::optional<CpuShares> cpu_shares(const Conditions& earlier,
                                                  const Conditions& later);

}  // namespace hedge
