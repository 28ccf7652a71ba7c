// SPDX-License-Identifier: Apache-2.0
#include "measure/condition_warnings.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "measure/throttle_sensors.h"
#include "result/machine.h"

namespace hedge {
namespace {

// Below this share of a CPU, other processes are the system's own background.
constexpr double kSomeLoad = 0.2;
constexpr double kHeavyLoad = 0.25;  // Of all CPUs.
constexpr double kSomeSteal = 0.02;  // Of one CPU.
constexpr double kHeavySteal = 0.2;
constexpr double kSomeWaiting = 0.01;  // Of the time.
constexpr double kMuchWaiting = 0.1;
constexpr double kWarmer_c = 10;
// Governors step by several per cent; what is below did not get the clock that was asked for.
constexpr double kClockShare = 0.9;
constexpr double kBusy = 0.8;  // Of one CPU.

struct Run {
  const Conditions& before;
  const std::optional<ConditionsRange>& during;
  const Conditions& after;
  std::optional<CpuShares> shares;
  std::vector<ConditionWarning> warnings;

  template <class... Args>
  void add(Severity severity, fmt::format_string<Args...> format, Args&&... args) {
    warnings.push_back({severity, fmt::format(format, std::forward<Args>(args)...)});
  }
};

void of_build(Run& run) {
  for (const std::string& note : build_notes()) {
    const bool void_of_meaning = note.find("mean nothing") != std::string::npos;
    run.add(void_of_meaning ? Severity::kSerious : Severity::kWarning, "{}", note);
  }
}

void of_settings(Run& run) {
  const std::string governor = governor_text(run.before.cpus);
  if (!governor.empty() && governor != "performance") {
    run.add(Severity::kWarning,
            "CPU governor is {}, so that clocks follow the load: `sudo hedge power set "
            "--governor=performance`, or `sudo hedge power run --lock-clocks -- ...`",
            governor);
  }
  if (run.before.turbo.value_or(false)) {
    run.add(Severity::kNote,
            "turbo boost is on, clocks depend on temperature: `sudo hedge power set --turbo=off`");
  }
  if (run.before.on_battery.value_or(false)) {
    run.add(Severity::kWarning, "the machine runs on its battery, which limits clocks: plug it in");
  }
  const std::string profile = run.before.power_profile.value_or("");
  if (profile == "low-power" || profile == "quiet" || profile == "cool") {
    run.add(Severity::kWarning,
            "the power profile is {}, which limits clocks: `powerprofilesctl set performance`",
            profile);
  }
}

/// What a run must find as it left it.
void of_changes(Run& run) {
  const auto changed = [&](const char* what, const std::string& from, const std::string& to) {
    if (from == to) return;
    run.add(Severity::kSerious, "{} changed from {} to {} during the run: measure again", what,
            from.empty() ? "unknown" : from, to.empty() ? "unknown" : to);
  };
  const auto turbo = [](const Conditions& conditions) {
    return !conditions.turbo ? "" : *conditions.turbo ? "on" : "off";
  };
  const auto limits = [](const Conditions& conditions) {
    std::string text;
    for (const CpuFrequency& cpu : conditions.cpus) {
      const std::string one =
          fmt::format("{}-{} MHz", cpu.min_khz.value_or(0) / 1000, cpu.max_khz.value_or(0) / 1000);
      if (text.find(one) == std::string::npos) text += (text.empty() ? "" : ", ") + one;
    }
    return text;
  };
  changed("the CPU governor", governor_text(run.before.cpus), governor_text(run.after.cpus));
  changed("the range of the CPU clock", limits(run.before), limits(run.after));
  changed("turbo boost", turbo(run.before), turbo(run.after));
  changed("the power mode", run.before.power_mode.value_or(""), run.after.power_mode.value_or(""));
}

void of_load(Run& run) {
  const auto cpus = static_cast<double>(std::max<std::int64_t>(run.before.cpu_count, 1));
  const double mean = run.shares ? run.shares->others : 0;
  const double worst = run.during ? run.during->most_others.value_or(mean) : mean;
  if (std::max(mean, worst) >= kSomeLoad) {
    run.add(mean >= kHeavyLoad * cpus ? Severity::kSerious : Severity::kWarning,
            "other processes used {:.1f} of {:.0f} CPUs ({:.1f} at the worst): end them (`top` "
            "shows which)",
            mean, cpus, std::max(mean, worst));
  }
  const double steal = run.shares ? run.shares->steal : 0;
  if (steal >= kSomeSteal) {
    run.add(
        steal >= kHeavySteal ? Severity::kSerious : Severity::kWarning,
        "the host gave {:.2f} of a CPU to other guests (steal): measure on a machine of its own",
        steal);
  }
}

void of_waiting(Run& run) {
  const double waited = run.shares ? run.shares->waited.value_or(0) : 0;
  if (waited < kSomeWaiting) return;
  run.add(
      waited >= kMuchWaiting ? Severity::kSerious : Severity::kWarning,
      "waited {:.0f} % of the time for a CPU that others had: end them, or give the run CPUs of "
      "its own (`taskset`, cpuset)",
      100 * waited);
}

std::int64_t rise(const Run& run, const std::string& event, std::int64_t before) {
  const auto after = run.after.throttle_events.find(event);
  return after == run.after.throttle_events.end() ? 0 : after->second - before;
}

void of_throttling(Run& run) {
  for (const auto& [event, before] : run.before.throttle_events) {
    const std::int64_t count = rise(run, event, before);
    if (count <= 0) continue;
    const bool quota = event == kCgroupQuota;
    run.add(event == kPowerLimit ? Severity::kWarning : Severity::kSerious,
            "throttled {} times during the run ({}): {}", count, event,
            quota ? "raise the container's CPU limit, or use fewer threads"
                  : "cool it, or take a lower power mode or clock (`sudo hedge power run "
                    "--max-mhz=N -- ...`)");
  }
  auto cooling = run.before.cooling;
  for (const auto* later : {run.during ? &run.during->most_cooling : nullptr, &run.after.cooling}) {
    if (later == nullptr) continue;
    for (const auto& [type, state] : *later) cooling[type] = std::max(cooling[type], state);
  }
  for (const auto& [type, state] : cooling) {
    if (state == 0 || !slows_down(type)) continue;
    run.add(Severity::kSerious,
            "throttled: {} was at state {}; cool the machine, or take a lower power mode or clock",
            type, state);
  }
}

void of_temperature(Run& run) {
  for (const auto& [zone, trip] : run.before.passive) {
    double highest = 0;
    if (const auto at = run.after.celsius.find(zone); at != run.after.celsius.end())
      highest = at->second;
    if (run.during) {
      if (const auto at = run.during->celsius.find(zone); at != run.during->celsius.end())
        highest = std::max(highest, at->second.max);
    }
    if (highest < trip) continue;
    run.add(Severity::kWarning, "{} reached {:.1f} degrees C, where it throttles ({:.1f}): cool it",
            zone, highest, trip);
  }
  double rise = 0;
  std::string where;
  for (const auto& [zone, degrees] : run.before.celsius) {
    const auto after = run.after.celsius.find(zone);
    if (after == run.after.celsius.end() || after->second - degrees <= rise) continue;
    rise = after->second - degrees;
    where = zone;
  }
  if (rise >= kWarmer_c) {
    run.add(Severity::kNote,
            "{} grew {:.0f} degrees C warmer during the run: warm up longer for a steady state",
            where, rise);
  }
}

/// The clock that a busy CPU should reach: with turbo that depends on how many are busy, and only
/// the base clock is promised. Of CPUs of several kinds the slowest counts, for which of them works
/// is not known.
std::optional<std::int64_t> expected_khz(const Conditions& conditions) {
  std::optional<std::int64_t> lowest;
  for (const CpuFrequency& cpu : conditions.cpus) {
    const bool boosted = conditions.turbo.value_or(false);
    const auto& promised = boosted ? cpu.base_khz : cpu.max_khz;
    if (!promised) return std::nullopt;
    const std::int64_t reached = std::min(*promised, cpu.max_khz.value_or(*promised));
    lowest = std::min(lowest.value_or(reached), reached);
  }
  return lowest;
}

void of_clocks(Run& run) {
  if (!run.during || !run.during->busiest_cpu_khz) return;
  if (!run.shares || run.shares->own < kBusy) return;
  const auto [least, most] = *run.during->busiest_cpu_khz;
  const auto expected = expected_khz(run.before);
  const auto below = [](std::int64_t khz, std::int64_t wanted) {
    return static_cast<double>(khz) < kClockShare * static_cast<double>(wanted);
  };
  if (expected && below(most, *expected)) {
    run.add(Severity::kWarning,
            "the CPU was busy and stayed at {} MHz of {}: a limit of power or heat holds it down",
            most / 1000, *expected / 1000);
  } else if (below(least, most)) {
    run.add(Severity::kWarning,
            "the CPU's clock moved between {} and {} MHz: `sudo hedge power run --lock-clocks -- "
            "...`",
            least / 1000, most / 1000);
  }
}

/// Of a GPU that this process does not compute on, all is a note.
Severity of_gpu(const Run& run, Severity severity) {
  return run.after.uses_cuda ? severity : Severity::kNote;
}

bool is_nvidia(const Run& run, const std::string& clock) {
  const auto& gpus = run.before.nvidia;
  return std::any_of(gpus.begin(), gpus.end(),
                     [&](const NvidiaGpu& gpu) { return clock.starts_with(gpu.name); });
}

void of_gpu_clocks(Run& run) {
  if (!run.during) return;
  for (const auto& [name, clock] : run.during->gpu_hz) {
    if (static_cast<double>(clock.min) >= kClockShare * static_cast<double>(clock.max)) continue;
    const bool nvidia = is_nvidia(run, name);
    run.add(
        nvidia ? of_gpu(run, Severity::kWarning) : Severity::kNote,
        "the clock of {} moved between {} and {} MHz: `sudo hedge power run {} -- ...` holds it",
        name, clock.min / 1'000'000, clock.max / 1'000'000,
        nvidia ? "--gpu-clocks=MIN,MAX" : "--lock-clocks");
  }
}

void of_gpu_throttling(Run& run) {
  if (!run.during) return;
  for (const auto& [name, reasons] : run.during->gpu_slowed_by) {
    for (const GpuSlowdown& slowdown : kGpuSlowdowns) {
      const auto samples = reasons.find(slowdown.name);
      if (samples == reasons.end()) continue;
      const std::string seen =
          fmt::format("{} ({} of {} samples)", slowdown.name, samples->second, run.during->samples);
      if (slowdown.throttles) {
        run.add(of_gpu(run, Severity::kSerious),
                "throttled: {} by {}; cool it, or take a lower clock (`sudo hedge power run "
                "--gpu-clocks=MIN,MAX -- ...`)",
                name, seen);
      } else if (slowdown.bit == kPowerLimitBit) {
        run.add(
            of_gpu(run, Severity::kWarning),
            "{} was held down by its {}: take a lower clock that it can keep (`sudo hedge power "
            "run --gpu-clocks=MIN,MAX -- ...`)",
            name, seen);
      } else {
        run.add(Severity::kNote, "the clock of {} was set by {}", name, seen);
      }
    }
  }
}

}  // namespace

std::vector<ConditionWarning> condition_warnings(const Conditions& before,
                                                 const std::optional<ConditionsRange>& during,
                                                 const Conditions& after) {
  Run run{before, during, after, cpu_shares(before, after), {}};
  of_build(run);
  of_changes(run);
  of_throttling(run);
  of_gpu_throttling(run);
  of_load(run);
  of_waiting(run);
  of_clocks(run);
  of_settings(run);
  of_temperature(run);
  of_gpu_clocks(run);
  std::stable_sort(run.warnings.begin(), run.warnings.end(),
                   [](const auto& a, const auto& b) { return a.severity > b.severity; });
  return std::move(run.warnings);
}

std::string missing_line(const Conditions& conditions) {
  if (conditions.missing.empty()) return {};
  return fmt::format("not told by this system: {}", join_words(conditions.missing));
}

}  // namespace hedge
