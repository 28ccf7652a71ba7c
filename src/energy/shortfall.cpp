// SPDX-License-Identifier: Apache-2.0
#include "energy/shortfall.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

#include "energy/refresh.h"

namespace hedge {
namespace {

/// Up to two ticks go by before the window from tick to tick begins, and one after it ends: below
/// so many, a load can have too few in it by chance.
constexpr double kSurelyEnough = kFewestSamples + 3;

std::int64_t changes_in(const RailTrace& trace, const Window& window) {
  const auto points = trace.points();
  return std::count_if(points.begin(), points.end(), [&](const TracePoint& point) {
    return &point != &points.front() && point.time_ns >= window.begin_ns &&
           point.time_ns <= window.end_ns;
  });
}

std::string too_short(std::string_view what, double seconds, std::size_t ticks, double tick,
                      std::string_view advice) {
  return fmt::format("{} of {} is shorter than {} ticks of the meter ({}): {}", what,
                     span_text(seconds), ticks, span_text(tick), advice);
}

/// Of a rail of which nobody knows how often it ticks.
std::string never_changed(const RailTrace& trace) {
  constexpr std::int64_t kFewestReadings = 20;
  if (trace.readings() < kFewestReadings) {
    return fmt::format("the meter was read {} times only; run it for longer", trace.readings());
  }
  return trace.points().size() < 2
             ? fmt::format(
                   "its {} readings are all the same: the sensor is stuck, or slower than "
                   "the run",
                   trace.readings())
             : fmt::format(
                   "its reading changed {} of {} times: the sensor is stuck, or slower "
                   "than the run",
                   trace.points().size() - 1, trace.readings());
}

}  // namespace

std::optional<double> tick_ns(const RailTrace& trace) {
  const auto refresh = refresh_of(trace);
  return refresh ? std::optional(refresh->ns) : std::nullopt;
}

double enough_seconds(double tick_ns) {
  constexpr double kTicks = 15;  // of which three, a fifth, may be lost at the ends
  return kTicks * tick_ns * 1e-9;
}

void bound_by_step(const RailTrace& trace, RailEnergy& energy) {
  constexpr double kZ95 = 1.959963984540054;
  const Rail& rail = trace.rail();
  if (!energy.joules || energy.half_width) return;
  if (rail.kind != RailKind::kPower || !(rail.resolution > 0)) return;
  energy.half_width = kZ95 * rail.resolution / 2 / std::numbers::sqrt3 * energy.seconds;
}

std::string shortfall_of_load(const RailTrace& trace, const RailEnergy& energy, const Window& load,
                              bool others_tick) {
  const bool ticks = aligned_window(trace, load).has_value();
  if (ticks && energy.half_width) return {};
  const bool steady =
      trace.rail().kind == RailKind::kPower && others_tick && energy.half_width.has_value();
  const auto tick = tick_ns(trace);
  if (!tick) return steady ? "" : never_changed(trace);
  if (load.seconds() < kSurelyEnough * *tick * 1e-9) {
    return too_short("the load", load.seconds(), kFewestSamples + 1, *tick * 1e-9,
                     fmt::format("run it for at least {}", span_text(enough_seconds(*tick))));
  }
  if (steady) return {};
  const std::int64_t changes = changes_in(trace, load);
  return fmt::format(
      "its reading changed {} time{} only in the load of {}: the sensor is stuck, "
      "or slower than the run",
      changes, changes == 1 ? "" : "s", span_text(load.seconds()));
}

std::string shortfall_of_rest(const RailTrace& trace, const RailEnergy& energy,
                              const Window& rest) {
  const auto tick = tick_ns(trace);
  if (!tick) return energy.half_width ? "" : never_changed(trace);
  if (rest.seconds() < kFewestSamples * *tick * 1e-9) {
    constexpr double kTicks = kFewestSamples + 0.5;
    return too_short("the baseline", rest.seconds(), kFewestSamples, *tick * 1e-9,
                     fmt::format("give --idle={:.0f}s", std::ceil(kTicks * *tick * 1e-9)));
  }
  if (energy.half_width) return {};
  return fmt::format(
      "its reading did not change in the baseline of {}: stuck, or the baseline is "
      "too short (--idle)",
      span_text(rest.seconds()));
}

std::string span_text(double seconds) {
  return seconds < 0.9995 ? fmt::format("{:.3g} ms", seconds * 1e3)
                          : fmt::format("{:.3g} s", seconds);
}

}  // namespace hedge
