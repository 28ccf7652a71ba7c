// SPDX-License-Identifier: Apache-2.0
#include "measure/throttle_sensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "base/system_files.h"
#include "base/text.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

// Sensors that are powered down tell -256 on some kernels of Jetson.
constexpr double kColdest = -50;

std::string fresh_name(const Temperatures& found, const std::string& type, const fs::path& zone) {
  if (!found.celsius.contains(type)) return type;
  return fmt::format("{} ({})", type, zone.filename().string());
}

/// Millidegrees as the file tells them, or why not.
void add_temperature(Temperatures& found, const std::string& name, const fs::path& file) {
  const SystemText read = try_read_system_file(file);
  const auto milli = parse_integer<std::int64_t>(trim(read.text));
  const double celsius = static_cast<double>(milli.value_or(0)) / 1000;
  if (milli && celsius > kColdest) {
    found.celsius[name] = celsius;
  } else if (read.error == EAGAIN || milli) {
    found.missing.push_back(fmt::format("temperature of {} (powered down)", name));
  } else if (read.error != ENOENT) {
    found.missing.push_back(
        fmt::format("temperature of {} ({})", name,
                    read.error != 0 ? std::generic_category().message(read.error) : "no number"));
  }
}

void add_passive_trip(Temperatures& found, const std::string& name, const fs::path& zone) {
  for (const fs::path& file : list_system_entries(zone, "trip_point_")) {
    const std::string text = file.string();
    if (!text.ends_with("_type") || read_system_line(file) != "passive") continue;
    const auto milli = read_system_integer(text.substr(0, text.size() - 5) + "_temp");
    if (!milli || *milli <= 0) continue;
    const double celsius = static_cast<double>(*milli) / 1000;
    const auto [trip, added] = found.passive.emplace(name, celsius);
    if (!added) trip->second = std::min(trip->second, celsius);
  }
}

void add_hwmon(Temperatures& found, const fs::path& folder) {
  constexpr std::array<std::string_view, 3> kCpuSensors{"coretemp", "k10temp", "zenpower"};
  const std::string name = read_system_line(folder / "name");
  if (std::find(kCpuSensors.begin(), kCpuSensors.end(), name) == kCpuSensors.end()) return;
  const std::string label = read_system_line(folder / "temp1_label");
  const std::string full = label.empty() ? name : fmt::format("{} {}", name, printable(label, 40));
  add_temperature(found, fresh_name(found, full, folder), folder / "temp1_input");
}

void keep_highest(std::map<std::string, std::int64_t>& values, const std::string& key,
                  std::int64_t value) {
  const auto [entry, added] = values.emplace(key, value);
  if (!added) entry->second = std::max(entry->second, value);
}

/// nr_throttled of one control group.
void add_quota(std::map<std::string, std::int64_t>& events, const fs::path& group) {
  const std::string text = read_system_file(group / "cpu.stat");
  for (const std::string& line : split(text, '\n')) {
    constexpr std::string_view kKey = "nr_throttled ";
    if (!line.starts_with(kKey)) continue;
    if (const auto count = parse_integer<std::int64_t>(trim(line).substr(kKey.size())))
      keep_highest(events, kCgroupQuota, *count);
  }
}

/// Of this process's control group and of those around it, for any of them may have the quota.
void add_quotas(std::map<std::string, std::int64_t>& events, const fs::path& root) {
  const fs::path mount = root / "sys/fs/cgroup";
  for (const std::string& line : split(read_system_file(root / "proc/self/cgroup"), '\n')) {
    const std::vector<std::string> fields = split(line, ':');
    if (fields.size() < 3) continue;
    const bool unified = fields[1].empty();
    if (!unified && !(fields[1] == "cpu" || fields[1].starts_with("cpu,"))) continue;
    const fs::path base = unified ? mount : mount / "cpu";
    fs::path group = fs::path(fields[2]).relative_path();
    for (; !group.empty(); group = group.parent_path()) add_quota(events, base / group);
    add_quota(events, base);
  }
}

void add_sum(std::map<std::string, std::int64_t>& events, const char* name, const fs::path& file) {
  if (const auto count = read_system_integer(file)) events[name] += *count;
}

}  // namespace

Temperatures read_temperatures(const fs::path& root) {
  Temperatures found;
  for (const fs::path& zone : list_system_entries(root / "sys/class/thermal", "thermal_zone")) {
    std::string type = printable(read_system_line(zone / "type"), 60);
    if (type.empty()) type = zone.filename().string();
    const std::string name = fresh_name(found, type, zone);
    add_temperature(found, name, zone / "temp");
    if (found.celsius.contains(name)) add_passive_trip(found, name, zone);
  }
  for (const fs::path& folder : list_system_entries(root / "sys/class/hwmon", "hwmon"))
    add_hwmon(found, folder);
  return found;
}

std::map<std::string, std::int64_t> read_cooling(const fs::path& root) {
  std::map<std::string, std::int64_t> cooling;
  for (const fs::path& device : list_system_entries(root / "sys/class/thermal", "cooling_device")) {
    const std::string type = printable(read_system_line(device / "type"), 60);
    const auto state = read_system_integer(device / "cur_state");
    // intel_powerclamp tells -1 while it is idle.
    if (!type.empty() && state) keep_highest(cooling, type, std::max<std::int64_t>(*state, 0));
  }
  const std::string firmware =
      read_system_line(root / "sys/devices/platform/soc/soc:firmware/get_throttled");
  if (const auto bits = parse_integer<std::int64_t>(firmware, 16))
    cooling["firmware"] = *bits & 0xF;
  return cooling;
}

bool slows_down(const std::string& type) {
  const std::string name = to_lower(type);
  constexpr std::array<std::string_view, 9> kSlowing{"cpufreq",    "devfreq",     "processor",
                                                     "throttle",   "bthrot",      "balanced",
                                                     "powerclamp", "tegra-heavy", "firmware"};
  return std::any_of(kSlowing.begin(), kSlowing.end(),
                     [&](std::string_view part) { return name.find(part) != std::string::npos; });
}

std::map<std::string, std::int64_t> read_throttle_events(const fs::path& root) {
  std::map<std::string, std::int64_t> events;
  for (const fs::path& cpu : list_system_entries(root / "sys/devices/system/cpu", "cpu")) {
    const fs::path folder = cpu / "thermal_throttle";
    add_sum(events, kCoreThrottling, folder / "core_throttle_count");
    add_sum(events, kPackageThrottling, folder / "package_throttle_count");
    add_sum(events, kPowerLimit, folder / "package_power_limit_count");
  }
  for (const fs::path& folder : list_system_entries(root / "sys/class/hwmon", "hwmon")) {
    for (const fs::path& file : list_system_entries(folder, "oc")) {
      const std::string name = file.filename().string();  // oc1_event_cnt
      if (!name.ends_with("_event_cnt")) continue;
      const std::string input = name.substr(2, name.find('_') - 2);
      add_sum(events, fmt::format("{} {}", kOverCurrent, input).c_str(), file);
    }
  }
  add_quotas(events, root);
  return events;
}

}  // namespace hedge
