// SPDX-License-Identifier: Apache-2.0
#include "measure/conditions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <system_error>

#include "base/clock.h"
#include "base/nvpmodel.h"
#include "base/text.h"
#include "measure/throttle_sensors.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

constexpr double kTicksPerSecond = 100;  // USER_HZ, part of Linux's interface.

std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> fields = split(line, ' ');
  std::erase(fields, "");
  return fields;
}

/// user nice system idle iowait irq softirq steal of the line "cpu ..." (proc(5)); guest time is
/// part of user. Kernels of old tell fewer.
std::optional<CpuTimes> cpu_times_of(std::string_view line) {
  const std::vector<std::string> fields = fields_of(line);
  if (fields.size() < 5) return std::nullopt;
  std::array<std::int64_t, 8> ticks{};
  for (std::size_t i = 0; i < ticks.size() && i + 1 < fields.size(); ++i) {
    const auto value = parse_integer<std::int64_t>(fields[i + 1]);
    if (!value || *value < 0) return std::nullopt;
    ticks[i] = *value;
  }
  CpuTimes times;
  times.busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6];
  times.steal = ticks[7];
  times.total = times.busy + times.steal + ticks[3] + ticks[4];
  return times;
}

void read_cpu_times(Conditions& conditions, const fs::path& root) {
  const std::string text = read_system_file(root / "proc/stat");
  for (const std::string& line : split(text, '\n')) {
    if (line.starts_with("cpu ")) {
      conditions.cpu_times = cpu_times_of(line);
    } else if (line.starts_with("cpu")) {
      ++conditions.cpu_count;
    } else {
      break;
    }
  }
}

/// utime and stime, fields 14 and 15 of /proc/self/stat; the name of the program, field 2, stands
/// in brackets and may hold anything.
std::optional<std::int64_t> own_ticks(const fs::path& root) {
  const std::string text = read_system_file(root / "proc/self/stat");
  const std::size_t end = text.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  const std::vector<std::string> fields = fields_of(std::string_view(text).substr(end + 1));
  if (fields.size() < 13) return std::nullopt;
  const auto user = parse_integer<std::int64_t>(fields[11]);
  const auto system = parse_integer<std::int64_t>(fields[12]);
  if (!user || !system) return std::nullopt;
  return *user + *system;
}

/// Second field of /proc/self/schedstat (Linux, Documentation/scheduler/sched-stats).
std::optional<std::int64_t> waited_ns(const fs::path& root) {
  const std::vector<std::string> fields = fields_of(read_system_line(root / "proc/self/schedstat"));
  return fields.size() < 3 ? std::nullopt : parse_integer<std::int64_t>(fields[1]);
}

std::optional<double> load_average(const fs::path& root) {
  const std::string line = read_system_line(root / "proc/loadavg");
  double value = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  return error == std::errc{} ? std::optional(value) : std::nullopt;
}

/// Of a laptop or a board with a battery: a mouse's has the scope "Device".
std::optional<bool> on_battery(const fs::path& root) {
  std::optional<bool> on;
  for (const fs::path& supply : list_system_entries(root / "sys/class/power_supply")) {
    if (read_system_line(supply / "type") != "Battery") continue;
    if (read_system_line(supply / "scope") == "Device") continue;
    on = on.value_or(false) || read_system_line(supply / "status") == "Discharging";
  }
  return on;
}

std::optional<std::string> unless_empty(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return printable(text, 60);
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool is_jetson(const fs::path& root) {
  return is_there(root / "etc/nv_tegra_release") ||
         read_system_file(root / "proc/device-tree/compatible").find("nvidia,tegra") !=
             std::string::npos;
}

bool is_x86(const fs::path& root) {
  return !value_of(read_system_file(root / "proc/cpuinfo"), ':', "vendor_id").empty();
}

void name_missing(Conditions& conditions, const fs::path& root) {
  std::vector<std::string>& missing = conditions.missing;
  if (conditions.cpus.empty())
    missing.emplace_back("CPU governor and clocks (no cpufreq in /sys/devices/system/cpu)");
  if (!conditions.turbo && is_x86(root))
    missing.emplace_back("turbo (neither intel_pstate/no_turbo nor cpufreq/boost)");
  if (!conditions.cpu_times || !conditions.own_ticks)
    missing.emplace_back("load by others (/proc/stat or /proc/self/stat cannot be read)");
  if (conditions.celsius.empty())
    missing.emplace_back("temperatures (no thermal zone answers in /sys/class/thermal)");
  if (conditions.throttle_events.empty() && conditions.cooling.empty())
    missing.emplace_back("throttling (neither counters nor cooling devices)");
  const bool jetson = is_jetson(root);
  if (!conditions.power_mode && (jetson || !conditions.power_profile))
    missing.emplace_back(jetson ? "power mode (no /var/lib/nvpmodel/status)"
                                : "power mode (neither nvpmodel's nor ACPI's platform_profile)");
  const bool nvidia_named = std::any_of(missing.begin(), missing.end(), [](const auto& name) {
    return name.starts_with(kNvidiaClocks);
  });
  if (conditions.gpus.empty() && conditions.nvidia.empty() && !nvidia_named)
    missing.emplace_back(
        jetson ? "GPU clock (no GPU in /sys/class/devfreq)"
               : "GPU clocks (neither a GPU in /sys/class/devfreq nor NVIDIA's driver)");
}

/// On a Jetson NVML starts and tells of no clock, which devfreq does.
void read_nvidia(Conditions& conditions, const fs::path& root) {
  NvidiaGpus found = read_nvidia_gpus(nvml_library_of(root));
  std::erase_if(found.gpus, [](const NvidiaGpu& gpu) { return !gpu.sm_hz && !gpu.celsius; });
  for (const NvidiaGpu& gpu : found.gpus) {
    if (gpu.celsius) conditions.celsius[gpu.name] = *gpu.celsius;
  }
  conditions.nvidia = std::move(found.gpus);
  std::vector<std::string>& missing = conditions.missing;
  if (conditions.gpus.empty())
    missing.insert(missing.end(), found.missing.begin(), found.missing.end());
  const bool driver = is_there(root / "proc/driver/nvidia/version");
  if (driver && conditions.nvidia.empty() && found.missing.empty())
    missing.emplace_back(fmt::format("{} (no libnvidia-ml.so.1 beside its driver)", kNvidiaClocks));
}

void read_heat(Conditions& conditions, const fs::path& root) {
  Temperatures temperatures = read_temperatures(root);
  conditions.celsius = std::move(temperatures.celsius);
  conditions.passive = std::move(temperatures.passive);
  conditions.missing = std::move(temperatures.missing);
  conditions.cooling = read_cooling(root);
}

}  // namespace

Conditions snapshot_conditions(const fs::path& root) {
  Conditions conditions;
  conditions.time_ns = SteadyClock::now_ns();
  read_cpu_times(conditions, root);
  conditions.own_ticks = own_ticks(root);
  conditions.waited_ns = waited_ns(root);
  conditions.cpus = read_cpu_frequencies(root);
  if (const auto turbo = read_turbo(root)) conditions.turbo = turbo->on;
  conditions.gpus = read_gpu_clocks(root);
  conditions.load_average = load_average(root);
  read_heat(conditions, root);
  conditions.throttle_events = read_throttle_events(root);
  conditions.power_mode = unless_empty(current_power_mode(root));
  conditions.power_profile =
      unless_empty(read_system_line(root / "sys/firmware/acpi/platform_profile"));
  conditions.on_battery = on_battery(root);
  conditions.uses_cuda = uses_cuda();
  read_nvidia(conditions, root);
  name_missing(conditions, root);
  return conditions;
}

Conditions sample_conditions(const Conditions& first, const fs::path& root) {
  Conditions sample;
  sample.time_ns = SteadyClock::now_ns();
  read_cpu_times(sample, root);
  sample.own_ticks = own_ticks(root);
  for (const CpuFrequency& known : first.cpus) {
    CpuFrequency cpu;
    cpu.cpu = known.cpu;
    cpu.current_khz = read_system_integer(known.folder / "scaling_cur_freq");
    sample.cpus.push_back(cpu);
  }
  for (const DeviceClock& known : first.gpus) {
    DeviceClock gpu;
    gpu.name = known.name;
    gpu.current_hz = read_system_integer(known.folder / "cur_freq");
    sample.gpus.push_back(gpu);
  }
  read_heat(sample, root);
  if (!first.nvidia.empty()) read_nvidia(sample, root);
  return sample;
}

std::optional<CpuShares> cpu_shares(const Conditions& earlier, const Conditions& later) {
  constexpr double kLeast_s = 0.2;
  if (!earlier.cpu_times || !later.cpu_times || !earlier.own_ticks || !later.own_ticks)
    return std::nullopt;
  CpuShares shares;
  shares.seconds = static_cast<double>(later.time_ns - earlier.time_ns) * 1e-9;
  // Some containers show a /proc/stat that stands still.
  if (shares.seconds < kLeast_s || later.cpu_times->total <= earlier.cpu_times->total)
    return std::nullopt;
  const auto cpus = [&](std::int64_t from, std::int64_t to) {
    return std::max(0.0, static_cast<double>(to - from) / kTicksPerSecond / shares.seconds);
  };
  shares.own = cpus(*earlier.own_ticks, *later.own_ticks);
  shares.others = std::max(0.0, cpus(earlier.cpu_times->busy, later.cpu_times->busy) - shares.own);
  shares.steal = cpus(earlier.cpu_times->steal, later.cpu_times->steal);
  if (earlier.waited_ns && later.waited_ns)
    shares.waited = std::max(
        0.0, static_cast<double>(*later.waited_ns - *earlier.waited_ns) * 1e-9 / shares.seconds);
  return shares;
}

}  // namespace hedge
