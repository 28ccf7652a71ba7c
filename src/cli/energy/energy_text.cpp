// SPDX-License-Identifier: Apache-2.0
#include "cli/energy/energy_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>

namespace hedge::cli {
namespace {

std::string interval_text(const std::optional<Range>& range, double scale, int digits) {
  if (!range) return "";
  return fmt::format(" [{:.{}f}, {:.{}f}]", (*range)[0] * scale, digits, (*range)[1] * scale,
                     digits);
}

/// Energy of one call with its interval in the same unit.
std::string per_call_text(double millijoules, const std::optional<Range>& range) {
  const double joules = millijoules * 1e-3;
  if (!range) return fine_joules_text(joules);
  return fmt::format("{} [{}, {}]", fine_joules_text(joules), fine_joules_text((*range)[0] * 1e-3),
                     fine_joules_text((*range)[1] * 1e-3));
}

}  // namespace

std::string fine_joules_text(double joules) {
  struct Unit {
    double size;
    const char* name;
  };
  constexpr std::array kUnits{Unit{1, "J"}, Unit{1e-3, "mJ"}, Unit{1e-6, "uJ"}, Unit{1e-9, "nJ"}};
  const double size = std::fabs(joules);
  const auto fits = std::find_if(kUnits.begin(), kUnits.end() - 1,
                                 [&](const Unit& unit) { return size >= unit.size; });
  return fmt::format("{:.4g} {}", joules / fits->size, fits->name);
}

std::string one_of(const std::string& unit) {
  const bool vowel = std::string_view("aeiou").find(unit.front()) != std::string_view::npos;
  return (vowel ? "an " : "a ") + unit;
}

std::string energy_lines(const EnergyResult& energy, const std::string& unit) {
  std::string text;
  if (energy.mj_per_inference) {
    text += fmt::format("energy     {} {}", per_call_text(*energy.mj_per_inference, energy.ci95),
                        one_of(unit));
    if (energy.mj_per_inference_net) {
      text += fmt::format("; above idle {}",
                          per_call_text(*energy.mj_per_inference_net, energy.net_ci95));
    }
    text += "\n";
  } else {
    text += "energy     unknown\n";
  }
  if (energy.mean_watts) {
    text += fmt::format("           {:.3f} W mean{} over {:.2f} s, {:.4g} J\n", *energy.mean_watts,
                        interval_text(energy.mean_watts_ci95, 1, 3), energy.seconds.value_or(0),
                        energy.joules_total.value_or(0));
  }
  if (energy.idle_watts) {
    text += fmt::format("           {:.3f} W idle{}\n", *energy.idle_watts,
                        interval_text(energy.idle_watts_ci95, 1, 3));
  }
  return text;
}

std::string meter_lines(const EnergyResult& energy) {
  std::string text = fmt::format("meter      {}", energy.meter.value_or("?"));
  if (energy.covers) text += fmt::format(": {}", *energy.covers);
  text += "\n";
  if (energy.distinct_samples) {
    text += fmt::format("           {} distinct sample{}", *energy.distinct_samples,
                        *energy.distinct_samples == 1 ? "" : "s");
    constexpr int kFewestToTell = 3;
    if (energy.refresh_seconds) {
      const double seconds = *energy.refresh_seconds;
      text += seconds < 0.9995 ? fmt::format(", a new one every {:.3g} ms", seconds * 1e3)
                               : fmt::format(", a new one every {:.3g} s", seconds);
    } else if (*energy.distinct_samples >= kFewestToTell) {
      text += ", read too seldom to tell how often there is a new one (--sample-rate)";
    }
    text += "\n";
  }
  if (energy.gain_error) {
    text += fmt::format("           intervals leave out the sensor's gain error: {}\n",
                        *energy.gain_error);
  }
  if (!energy.rail_details || energy.rail_details->size() < 2) return text;
  for (const auto& [name, rail] : energy.rail_details->items()) {
    text += rail.contains("mean_watts")
                ? fmt::format("  rail     {}: {:.3f} W", name, rail["mean_watts"].get<double>())
                : fmt::format("  rail     {}: unknown", name);
    text += rail["counts"].get<bool>() ? "\n" : " (not added)\n";
  }
  return text;
}

}  // namespace hedge::cli
