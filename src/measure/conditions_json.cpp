// SPDX-License-Identifier: Apache-2.0
#include "measure/conditions_json.h"

#include <fmt/format.h>
#include <link.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <system_error>
#include <vector>

#include "base/text.h"

namespace hedge {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

double mhz_of_khz(std::int64_t khz) {
  return static_cast<double>(khz) / 1000;
}
double mhz_of_hz(std::int64_t hz) {
  return static_cast<double>(hz) / 1e6;
}
double rounded(double value) {
  return std::round(value * 1000) / 1000;
}

template <class T, class Scale>
void put(json& object, const char* key, const std::optional<T>& value, Scale scale) {
  if (value) object[key] = scale(*value);
}
template <class T>
void put(json& object, const char* key, const std::optional<T>& value) {
  if (value) object[key] = *value;
}
template <class Map>
void put(json& object, const char* key, const Map& map) {
  if (!map.empty()) object[key] = map;
}

bool same_settings(const CpuFrequency& a, const CpuFrequency& b) {
  return a.governor == b.governor && a.min_khz == b.min_khz && a.max_khz == b.max_khz;
}

json cpu_group(const CpuFrequency& first) {
  json group;
  if (!first.governor.empty()) group["governor"] = printable(first.governor, 40);
  put(group, "min_mhz", first.min_khz, mhz_of_khz);
  put(group, "max_mhz", first.max_khz, mhz_of_khz);
  group["mhz"] = json::array();
  return group;
}

/// Neighbours of the same settings in one element: {"cpus": "0-3", ..., "mhz": [one a CPU]}.
json cpu_clocks(const std::vector<CpuFrequency>& cpus) {
  json groups = json::array();
  for (std::size_t begin = 0; begin < cpus.size();) {
    std::size_t end = begin;
    json group = cpu_group(cpus[begin]);
    while (end < cpus.size() && same_settings(cpus[begin], cpus[end])) {
      const auto& clock = cpus[end].current_khz;
      group["mhz"].push_back(clock ? json(mhz_of_khz(*clock)) : json());
      ++end;
    }
    const int first = cpus[begin].cpu;
    const int last = cpus[end - 1].cpu;
    group["cpus"] = first == last ? std::to_string(first) : fmt::format("{}-{}", first, last);
    groups.push_back(std::move(group));
    begin = end;
  }
  return groups;
}

json gpu_clocks(const Conditions& conditions) {
  json list = json::array();
  for (const DeviceClock& gpu : conditions.gpus) {
    json clock{{"name", gpu.name}};
    if (!gpu.governor.empty()) clock["governor"] = printable(gpu.governor, 40);
    put(clock, "mhz", gpu.current_hz, mhz_of_hz);
    put(clock, "min_mhz", gpu.min_hz, mhz_of_hz);
    put(clock, "max_mhz", gpu.max_hz, mhz_of_hz);
    list.push_back(std::move(clock));
  }
  for (const NvidiaGpu& gpu : conditions.nvidia) {
    json clock{{"name", gpu.name}};
    put(clock, "mhz", gpu.sm_hz, mhz_of_hz);
    put(clock, "max_mhz", gpu.max_sm_hz, mhz_of_hz);
    put(clock, "memory_mhz", gpu.memory_hz, mhz_of_hz);
    put(clock, "slowed_by", gpu.slowed_by);
    list.push_back(std::move(clock));
  }
  return list;
}

template <class T, class Scale>
json extremes(const Extremes<T>& range, Scale scale) {
  return {{"min", scale(range.min)}, {"max", scale(range.max)}};
}

/// File names of the shared libraries that are loaded, links followed, so that most tell their
/// version: "libdnnl.so.2.7". Our own and the loader are left out.
std::vector<std::string> loaded_libraries() {
  std::vector<std::string> names;
  const auto visit = [](dl_phdr_info* info, std::size_t, void* data) {
    if (info->dlpi_name == nullptr || *info->dlpi_name == '\0') return 0;
    std::error_code error;
    fs::path path = fs::canonical(info->dlpi_name, error);
    if (error) return 0;  // linux-vdso has no file.
    const std::string name = path.filename().string();
    if (name.find(".so") != std::string::npos && !name.starts_with("libhedge") &&
        !name.starts_with("ld-"))
      static_cast<std::vector<std::string>*>(data)->push_back(printable(name));
    return 0;
  };
  dl_iterate_phdr(visit, &names);
  std::sort(names.begin(), names.end());
  return names;
}

json shares_json(const CpuShares& shares) {
  json object{{"seconds", rounded(shares.seconds)},
              {"others_cpus", rounded(shares.others)},
              {"own_cpus", rounded(shares.own)},
              {"steal_cpus", rounded(shares.steal)}};
  put(object, "waited", shares.waited, rounded);
  return object;
}

}  // namespace

json conditions_to_json(const Conditions& conditions) {
  json object = json::object();
  if (!conditions.cpus.empty()) object["cpu_clocks"] = cpu_clocks(conditions.cpus);
  put(object, "turbo", conditions.turbo);
  if (!conditions.gpus.empty() || !conditions.nvidia.empty())
    object["gpu_clocks"] = gpu_clocks(conditions);
  put(object, "load_average", conditions.load_average);
  put(object, "temperatures_c", conditions.celsius);
  put(object, "cooling", conditions.cooling);
  put(object, "throttle_events", conditions.throttle_events);
  put(object, "power_mode", conditions.power_mode);
  put(object, "power_profile", conditions.power_profile);
  put(object, "on_battery", conditions.on_battery);
  put(object, "missing", conditions.missing);
  return object;
}

json conditions_to_json(const ConditionsRange& range) {
  json object{{"samples", range.samples}, {"seconds", rounded(range.seconds)}};
  if (range.cpu_khz) object["cpu_mhz"] = extremes(*range.cpu_khz, mhz_of_khz);
  if (range.busiest_cpu_khz)
    object["busiest_cpu_mhz"] = extremes(*range.busiest_cpu_khz, mhz_of_khz);
  for (const auto& [name, clock] : range.gpu_hz)
    object["gpu_mhz"][name] = extremes(clock, mhz_of_hz);
  put(object, "gpu_slowed_by", range.gpu_slowed_by);
  for (const auto& [zone, degrees] : range.celsius)
    object["temperatures_c"][zone] = extremes(degrees, [](double value) { return value; });
  put(object, "cooling", range.most_cooling);
  put(object, "throttle_events", range.throttle_events);
  put(object, "others_cpus", range.others, rounded);
  put(object, "others_cpus_max", range.most_others, rounded);
  return object;
}

ConditionsResult conditions_result(const Conditions& before,
                                   const std::optional<ConditionsRange>& during,
                                   const Conditions& after, const fs::path& root) {
  ConditionsResult result;
  result.before = conditions_to_json(before);
  (*result.before)["build"] = {{"type", HEDGE_BUILD_TYPE}, {"compiler", __VERSION__}};
  const std::string kernel = read_system_line(root / "proc/sys/kernel/osrelease");
  if (!kernel.empty()) (*result.before)["kernel"] = printable(kernel, 100);
  (*result.before)["libraries"] = loaded_libraries();
  if (during) result.during = conditions_to_json(*during);
  result.after = conditions_to_json(after);
  if (const auto shares = cpu_shares(before, after))
    (*result.after)["since_before"] = shares_json(*shares);
  return result;
}

}  // namespace hedge
