// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/system_files.h"
#include "energy/nvml_library.h"
#include "energy/power_meter.h"

namespace hedge {

struct MeterOptions {
  std::filesystem::path root = system_root();  ///< Where /sys is looked for.
  std::string nvml_library = nvml_library_name();
  /// The load runs on an NVIDIA GPU: its meter comes before the processor's.
  bool gpu_load = false;
};

/// A kind of meter that Hedge knows, and whether this machine has it.
struct MeterStatus {
  std::string name;
  std::unique_ptr<PowerMeter> meter;  ///< None where unavailable_reason tells why.
  std::string unavailable_reason;
  bool present = false;  ///< The machine has it, and it cannot be read.
};

/// All of them, the best one first: what sees the most of what the load uses (INA3221 a whole
/// module, then processor or GPU, then the battery, whose gauge is slow).
[[nodiscard]] std::vector<MeterStatus> find_meters(const MeterOptions& options = {});

/// "ina3221, nvml, rapl, battery".
[[nodiscard]] std::vector<std::string> meter_names();

/// Throws bad_input for a name that open_meter would refuse.
void require_meter_name(const std::string& name);

/// The best one that is there for "auto", or the one with that name; several joined by '+'
/// ("rapl+nvml") are read as one. Throws bad_input for a name that is none of meter_names().
struct MeterChoice {
  std::unique_ptr<PowerMeter> meter;
  /// Why there is none; beside one, why a better one that the machine has was not taken.
  std::string reason;
};
[[nodiscard]] MeterChoice open_meter(const std::string& name, const MeterOptions& options = {});

}  // namespace hedge
