// SPDX-License-Identifier: Apache-2.0
#include "energy/energy_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "energy/refresh.h"

namespace hedge {
namespace {

constexpr double kZ95 = 1.959963984540054;
constexpr double kLeastShare = 0.8;  ///< Of the load, that the figures have to be of.
constexpr double kMostDoubt = 0.05;  ///< Half width of the energy's interval over the energy.

double square(double x) {
  return x * x;
}

/// The slowest of the rails that count decides: the others refresh within its window.
std::optional<Window> window_from_ticks(const Recording& recording, const Window& load) {
  std::optional<Window> found;
  double slowest = -1;
  for (const RailTrace& rail : recording.rails) {
    if (!rail.rail().in_total) continue;
    const auto window = aligned_window(rail, load);
    if (!window) return std::nullopt;
    const double refresh = refresh_of(rail).value_or(Refresh{}).ns;
    if (refresh > slowest) {
      slowest = refresh;
      found = window;
    }
  }
  return found;
}

std::vector<RailEnergy> energies_in(const Recording& recording, const Window& window) {
  std::vector<RailEnergy> energies;
  for (const RailTrace& rail : recording.rails) energies.push_back(integrate(rail, window));
  return energies;
}

std::optional<IdlePower> power_in(const Recording& recording, const std::optional<Window>& window) {
  if (!window || !(window->seconds() > 0)) return std::nullopt;
  const TotalEnergy total = total_energy(recording.rails, energies_in(recording, *window));
  if (!total.joules) return std::nullopt;
  IdlePower power{*total.joules / window->seconds(), std::nullopt};
  if (total.half_width) power.half_width = *total.half_width / window->seconds();
  return power;
}

/// The mean of both, with half of their difference as a bound of what idle was meanwhile.
std::optional<IdlePower> between(const std::optional<IdlePower>& before,
                                 const std::optional<IdlePower>& after) {
  if (!before || !after) return before ? before : after;
  IdlePower idle{(before->watts + after->watts) / 2, std::nullopt};
  if (before->half_width && after->half_width) {
    const double drift = kZ95 * std::fabs(before->watts - after->watts) / 2 / std::numbers::sqrt3;
    idle.half_width =
        std::sqrt(square(*before->half_width / 2) + square(*after->half_width / 2) + square(drift));
  }
  return idle;
}

TotalEnergy above_idle(const EnergySummary& summary) {
  TotalEnergy net;
  if (!summary.gross.joules) {
    net.unknown_reason = summary.gross.unknown_reason;
    return net;
  }
  if (!summary.idle) {
    net.unknown_reason = "the idle power is not known";
    return net;
  }
  const double seconds = summary.window.seconds();
  net.joules = *summary.gross.joules - summary.idle->watts * seconds;
  if (summary.gross.half_width && summary.idle->half_width) {
    net.half_width =
        std::sqrt(square(*summary.gross.half_width) + square(*summary.idle->half_width * seconds));
  }
  return net;
}

bool is_constant(const RailTrace& rail) {
  constexpr std::size_t kFewest = 10;
  const auto points = rail.points();
  return points.size() >= kFewest &&
         std::all_of(points.begin(), points.end(),
                     [&](const TracePoint& point) { return point.value == points.front().value; });
}

/// Of an external meter.
void warn_of_log(const RailTrace& rail, const RailEnergy& energy,
                 std::vector<std::string>& warnings) {
  constexpr double kManyWatts = 2000;
  const std::string& name = rail.rail().name;
  if (rail.failed_readings() > 0) {
    warnings.push_back(fmt::format("{}: {} of {} rows of the log hold no power (empty or nan)",
                                   name, rail.failed_readings(), rail.readings()));
  }
  const double watts = energy.joules ? *energy.joules / energy.seconds : 0;
  if (watts > kManyWatts) {
    warnings.push_back(
        fmt::format("{}: {:.0f} W mean; does the log's header state the right unit?", name, watts));
  }
  if (is_constant(rail)) {
    warnings.push_back(fmt::format(
        "{}: all {} rows of the log hold the same power; is the meter connected, or stuck?", name,
        rail.points().size()));
  }
}

void warn_of_rail(const RailTrace& rail, const RailEnergy& energy,
                  std::vector<std::string>& warnings) {
  const std::string& name = rail.rail().name;
  constexpr std::int64_t kSilence = 10;
  if (rail.rail().stamped) {
    warn_of_log(rail, energy, warnings);
  } else if (rail.failed_readings() > 0) {
    warnings.push_back(fmt::format(
        "{}: {} of {} readings failed{}", name, rail.failed_readings(), rail.readings(),
        rail.silent_readings() >= kSilence ? ", the last ones all: it fell silent" : ""));
  }
  if (rail.resets() > 0) {
    warnings.push_back(
        fmt::format("{}: the counter jumped back {} time{}; the energy meanwhile is "
                    "filled in from what surrounds it",
                    name, rail.resets(), rail.resets() == 1 ? "" : "s"));
  }
  if (energy.gap_seconds > 0) {
    warnings.push_back(
        fmt::format("{}: {:.2f} of {:.2f} s without a reading, filled in from what surrounds them",
                    name, energy.gap_seconds, energy.seconds));
  }
}

void add_doubts(const EnergySummary& summary, const RunWindows& windows, bool aligned,
                std::vector<std::string>& doubts) {
  if (!summary.gross.joules) {
    doubts.push_back(fmt::format("unknown: {}", summary.gross.unknown_reason));
  } else if (!summary.gross.half_width) {
    doubts.emplace_back(
        "the reading never changed: the sensor is stuck, or slower than the run; run it for "
        "longer");
  } else if (!aligned && !windows.beats) {
    doubts.push_back(
        fmt::format("the load of {:.2f} s saw fewer than three refreshes of the meter; run it for "
                    "longer",
                    windows.load.seconds()));
  } else if (summary.window.seconds() < kLeastShare * windows.load.seconds()) {
    doubts.push_back(fmt::format(
        "the meter told of {:.2f} of {:.2f} s only: a rail fell silent or stuck, or the "
        "run is short for its refresh; see the warnings, or run it for longer",
        summary.window.seconds(), windows.load.seconds()));
  } else if (*summary.gross.half_width > kMostDoubt * std::fabs(*summary.gross.joules)) {
    doubts.push_back(fmt::format(
        "known to +-{:.0f} % only ({:.0f} % is allowed); run it for longer",
        100 * *summary.gross.half_width / std::fabs(*summary.gross.joules), 100 * kMostDoubt));
  }
  if (summary.gross.joules && *summary.gross.joules < 0) {
    doubts.emplace_back("negative: the meter is connected the wrong way round");
  }
}

void warn_of_lost_baseline(const char* when, const std::optional<Window>& asked,
                           const std::optional<IdlePower>& found,
                           std::vector<std::string>& warnings) {
  if (asked && !found) {
    warnings.push_back(fmt::format("the idle power {} the load is not known", when));
  }
}

void warn_of_idle(const std::optional<IdlePower>& before, const std::optional<IdlePower>& after,
                  std::vector<std::string>& warnings) {
  if (!before || !after || !before->half_width || !after->half_width) return;
  const double difference = after->watts - before->watts;
  const double doubt = std::hypot(*before->half_width, *after->half_width);
  constexpr double kMatters = 0.05;
  if (std::fabs(difference) > doubt && std::fabs(difference) > kMatters * before->watts) {
    warnings.push_back(fmt::format(
        "idle power was {:.3f} W before and {:.3f} W after the load; heat, or other programs: the "
        "net energy is that much less certain",
        before->watts, after->watts));
  }
}

}  // namespace

EnergySummary summarize_energy(const Recording& recording, const RunWindows& windows) {
  EnergySummary summary;
  std::optional<Window> aligned;
  if (!windows.beats) aligned = window_from_ticks(recording, windows.load);
  summary.window = aligned.value_or(windows.load);
  const auto first = recording.progress.at(summary.window.begin_ns);
  const auto last = recording.progress.at(summary.window.end_ns);
  if (first && last) summary.inferences = *last - *first;
  if (windows.beats) summary.inferences = static_cast<double>(*windows.beats);
  summary.rails = energies_in(recording, summary.window);
  summary.gross = total_energy(recording.rails, summary.rails);
  const auto before = power_in(recording, windows.idle_before);
  const auto after = power_in(recording, windows.idle_after);
  summary.idle = between(before, after);
  summary.net = above_idle(summary);
  for (std::size_t i = 0; i < recording.rails.size(); ++i) {
    if (recording.rails[i].rail().in_total) {
      warn_of_rail(recording.rails[i], summary.rails[i], summary.warnings);
    }
  }
  add_doubts(summary, windows, aligned.has_value(), summary.doubts);
  if (summary.gross.joules) {
    warn_of_lost_baseline("before", windows.idle_before, before, summary.warnings);
    warn_of_lost_baseline("after", windows.idle_after, after, summary.warnings);
  }
  warn_of_idle(before, after, summary.warnings);
  return summary;
}

}  // namespace hedge
