// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "energy/power_meter.h"

namespace hedge {

/// A meter, or why there is none: one line that says what would help.
struct MeterProbe {
  std::unique_ptr<PowerMeter> meter;
  std::string reason{};
  /// The machine has it, and `reason` says what keeps it from being read.
  bool present = false;
};

// Each looks for its meter below `root`, where the machine has /sys. None throws.

/// INA3221 of Jetson boards: hwmon (JetPack 5 and later) or iio (JetPack 4).
[[nodiscard]] MeterProbe probe_ina3221(const std::filesystem::path& root);
/// Intel's and AMD's energy counters by powercap.
[[nodiscard]] MeterProbe probe_rapl(const std::filesystem::path& root);
/// Batteries of the machine, while they discharge.
[[nodiscard]] MeterProbe probe_battery(const std::filesystem::path& root);
/// NVIDIA GPUs by their management library, `library` as dlopen takes it.
[[nodiscard]] MeterProbe probe_nvml(const std::string& library);

}  // namespace hedge
