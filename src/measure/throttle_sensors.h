// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace hedge {

// The part of a snapshot that tells of heat and of what it does to clocks. Maps are empty where
// nothing is told.

struct Temperatures {
  std::map<std::string, double>
      celsius;  ///< By the zone's type; a second of a type has its number.
  std::map<std::string, double> passive;  ///< The lowest trip point at which a zone throttles.
  std::vector<std::string> missing;       ///< Zones that are there and do not answer.
};
/// Thermal zones; and of hwmon the CPU's own sensors (coretemp, k10temp, zenpower), for PCs have no
/// zone for them.
[[nodiscard]] Temperatures read_temperatures(const std::filesystem::path& root);

/// State of cooling devices by type, the highest of each; fans too. On a Raspberry Pi "firmware",
/// the bits of get_throttled that hold now (1 under-voltage, 2 clock capped, 4 throttled, 8 warm).
[[nodiscard]] std::map<std::string, std::int64_t> read_cooling(const std::filesystem::path& root);

/// Whether a cooling device of this type slows computing down where its state is above 0: a fan and
/// the display's brightness do not.
[[nodiscard]] bool slows_down(const std::string& type);

// Names of the events; over-current events have the number of their input behind.
inline constexpr const char* kCoreThrottling = "core thermal throttling";
inline constexpr const char* kPackageThrottling = "package thermal throttling";
inline constexpr const char* kPowerLimit = "package power limit";
inline constexpr const char* kOverCurrent = "over-current";
inline constexpr const char* kCgroupQuota = "control group CPU quota";

/// Counters of throttling since boot: x86's thermal_throttle (sum over CPUs), the over-current
/// events of Jetson's soctherm, nr_throttled of this process's control groups.
[[nodiscard]] std::map<std::string, std::int64_t> read_throttle_events(
    const std::filesystem::path& root);

}  // namespace hedge
