// SPDX-License-Identifier: Apache-2.0
#include "energy/energy_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "energy/shortfall.h"

namespace hedge {
namespace {

constexpr double kZ95 = 1.959963984540054;
constexpr double kLeastShare = 0.8;    ///< Of the load, that the figures have to be of.
constexpr std::int64_t kSilence = 10;  ///< Failed readings in a row at the end.
constexpr double kMostDoubt = 0.05;    ///< Half width of the energy's interval over the energy.

double square(double x) {
  return x * x;
}

/// Of the rails that count and tick in the load, the slowest: the others refresh within its window.
struct SlowestRail {
  const RailTrace* rail = nullptr;
  Window window;
};
SlowestRail slowest_in(const Recording& recording, const Window& load) {
  SlowestRail found;
  double slowest = -1;
  for (const RailTrace& rail : recording.rails) {
    if (!rail.rail().in_total) continue;
    const auto window = aligned_window(rail, load);
    const double tick = tick_ns(rail).value_or(0);
    if (!window || tick <= slowest) continue;
    slowest = tick;
    found = {&rail, *window};
  }
  return found;
}

std::vector<RailEnergy> energies_in(const Recording& recording, const Window& window) {
  std::vector<RailEnergy> energies;
  for (const RailTrace& rail : recording.rails) energies.push_back(integrate(rail, window));
  return energies;
}

void make_unknown(RailEnergy& energy, std::string reason) {
  energy.joules.reset();
  energy.half_width.reset();
  energy.unknown_reason = std::move(reason);
}

/// A figure stands on samples of the load alone, and has an interval.
std::vector<RailEnergy> load_energies(const Recording& recording, const Window& window,
                                      const RunWindows& windows, bool others_tick) {
  std::vector<RailEnergy> energies = energies_in(recording, window);
  for (std::size_t i = 0; i < energies.size(); ++i) {
    if (!energies[i].joules) continue;
    if (others_tick) bound_by_step(recording.rails[i], energies[i]);
    std::string reason =
        shortfall_of_load(recording.rails[i], energies[i], windows.load, others_tick);
    if (!reason.empty()) make_unknown(energies[i], std::move(reason));
  }
  return energies;
}

/// A baseline, or why it is none.
struct Baseline {
  std::optional<IdlePower> power;
  std::string unknown_reason;
};

Baseline baseline_in(const Recording& recording, const std::optional<Window>& window,
                     bool others_tick) {
  if (!window || !(window->seconds() > 0)) return {};
  std::vector<RailEnergy> energies = energies_in(recording, *window);
  for (std::size_t i = 0; i < energies.size(); ++i) {
    if (!energies[i].joules) continue;
    if (others_tick) bound_by_step(recording.rails[i], energies[i]);
    std::string reason = shortfall_of_rest(recording.rails[i], energies[i], *window);
    if (!reason.empty()) make_unknown(energies[i], std::move(reason));
  }
  const TotalEnergy total = total_energy(recording.rails, energies);
  if (!total.joules || !total.half_width) return {std::nullopt, total.unknown_reason};
  return {IdlePower{*total.joules / window->seconds(), *total.half_width / window->seconds()}, {}};
}

/// The mean of both, with half of their difference as a bound of what idle was meanwhile.
std::optional<IdlePower> between(const std::optional<IdlePower>& before,
                                 const std::optional<IdlePower>& after) {
  if (!before || !after) return before ? before : after;
  const double drift = kZ95 * std::fabs(before->watts - after->watts) / 2 / std::numbers::sqrt3;
  return IdlePower{
      (before->watts + after->watts) / 2,
      std::sqrt(square(before->half_width / 2) + square(after->half_width / 2) + square(drift))};
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
  net.half_width =
      std::hypot(summary.gross.half_width.value_or(0), summary.idle->half_width * seconds);
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
  if (rail.rail().stamped) {
    warn_of_log(rail, energy, warnings);
  } else if (rail.failed_readings() > 0) {
    warnings.push_back(fmt::format(
        "{}: {} of {} readings failed{}", name, rail.failed_readings(), rail.readings(),
        rail.silent_readings() >= kSilence ? ", the last ones all: it fell silent" : ""));
  }
  if (rail.resets() > 0) {
    warnings.push_back(fmt::format(
        "{}: the counter jumped back {} time{}{}", name, rail.resets(),
        rail.resets() == 1 ? "" : "s",
        energy.joules ? "; the energy meanwhile is filled in from what surrounds it" : ""));
  }
  if (energy.gap_seconds > 0 && energy.joules) {
    warnings.push_back(
        fmt::format("{}: {:.2f} of {:.2f} s without a reading, filled in from what surrounds them",
                    name, energy.gap_seconds, energy.seconds));
  }
}

/// Why ticks of the rail that decides lie in a part of the load only.
std::string part_of_load_text(const RailTrace& rail, const Window& window, const Window& load) {
  const std::string told = fmt::format("{} told of {} of {} only", rail.rail().name,
                                       span_text(window.seconds()), span_text(load.seconds()));
  const double tick = tick_ns(rail).value_or(0);
  if (load.seconds() < enough_seconds(tick)) {
    return fmt::format("{}, for it ticks every {}: run it for at least {}", told,
                       span_text(tick * 1e-9), span_text(enough_seconds(tick)));
  }
  if (rail.silent_readings() >= kSilence) return told + ", then it fell silent";
  const Window begin{load.begin_ns, window.begin_ns};
  const Window end{window.end_ns, load.end_ns};
  const bool at_end = end.seconds() > begin.seconds();
  return fmt::format("{}: its value did not change in the {} {}; is the sensor stuck?", told,
                     at_end ? "last" : "first",
                     span_text(at_end ? end.seconds() : begin.seconds()));
}

void add_doubts(const EnergySummary& summary, const RunWindows& windows, const SlowestRail& slowest,
                std::vector<std::string>& doubts) {
  if (!summary.gross.joules) {
    doubts.push_back(fmt::format("unknown: {}", summary.gross.unknown_reason));
  } else if (summary.window.seconds() < kLeastShare * windows.load.seconds()) {
    doubts.push_back(part_of_load_text(*slowest.rail, summary.window, windows.load));
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
                           const Baseline& found, std::vector<std::string>& warnings) {
  if (asked && !found.power) {
    warnings.push_back(
        fmt::format("the idle power {} the load is not known: {}", when, found.unknown_reason));
  }
}

void warn_of_idle(const std::optional<IdlePower>& before, const std::optional<IdlePower>& after,
                  std::vector<std::string>& warnings) {
  if (!before || !after) return;
  const double difference = after->watts - before->watts;
  const double doubt = std::hypot(before->half_width, after->half_width);
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
  const SlowestRail slowest = slowest_in(recording, windows.load);
  const bool whole = windows.beats || slowest.rail == nullptr;
  summary.window = whole ? windows.load : slowest.window;
  const auto first = recording.progress.at(summary.window.begin_ns);
  const auto last = recording.progress.at(summary.window.end_ns);
  if (first && last) summary.inferences = *last - *first;
  if (windows.beats) summary.inferences = static_cast<double>(*windows.beats);
  summary.rails = load_energies(recording, summary.window, windows, slowest.rail != nullptr);
  summary.gross = total_energy(recording.rails, summary.rails);
  const Baseline before = baseline_in(recording, windows.idle_before, slowest.rail != nullptr);
  const Baseline after = baseline_in(recording, windows.idle_after, slowest.rail != nullptr);
  summary.idle = between(before.power, after.power);
  summary.net = above_idle(summary);
  for (std::size_t i = 0; i < recording.rails.size(); ++i) {
    if (recording.rails[i].rail().in_total) {
      warn_of_rail(recording.rails[i], summary.rails[i], summary.warnings);
    }
  }
  add_doubts(summary, windows, slowest, summary.doubts);
  if (summary.gross.joules) {
    warn_of_lost_baseline("before", windows.idle_before, before, summary.warnings);
    warn_of_lost_baseline("after", windows.idle_after, after, summary.warnings);
  }
  warn_of_idle(before.power, after.power, summary.warnings);
  return summary;
}

}  // namespace hedge
