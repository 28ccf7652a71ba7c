// SPDX-License-Identifier: Apache-2.0
#include "measure/energy_result.h"

#include <fmt/format.h>

#include <cmath>

#include "base/json.h"
#include "hedge/error.h"

namespace hedge {
namespace {

using nlohmann::json;

std::optional<Range> around(const std::optional<double>& centre, const std::optional<double>& half,
                            double scale) {
  if (!centre || !half) return std::nullopt;
  return Range{(*centre - *half) * scale, (*centre + *half) * scale};
}

json details(const RailTrace& trace, const RailEnergy& energy) {
  json object{{"counts", trace.rail().in_total},
              {"distinct_samples", energy.distinct_samples},
              {"failed_readings", trace.failed_readings()}};
  if (energy.joules) {
    object["joules"] = *energy.joules;
    object["mean_watts"] = *energy.joules / energy.seconds;
  }
  if (const auto range = around(energy.joules, energy.half_width, 1 / energy.seconds)) {
    object["mean_watts_ci95"] = *range;
  }
  if (energy.refresh_seconds) object["refresh_seconds"] = *energy.refresh_seconds;
  if (energy.gap_seconds > 0) object["gap_seconds"] = energy.gap_seconds;
  if (!energy.unknown_reason.empty()) object["unknown"] = energy.unknown_reason;
  return object;
}

}  // namespace

EnergyResult energy_result(const MeterFacts& meter, const EnergySummary& summary,
                           const Recording& recording) {
  EnergyResult result;
  result.meter = meter.name;
  if (!meter.covers.empty()) result.covers = meter.covers;
  if (!meter.gain_error.empty()) result.gain_error = meter.gain_error;
  json rails = json::object();
  for (std::size_t i = 0; i < recording.rails.size(); ++i) {
    const RailTrace& trace = recording.rails[i];
    const RailEnergy& energy = summary.rails[i];
    rails[trace.rail().name] = details(trace, energy);
    if (!trace.rail().in_total) continue;
    result.rails.push_back(trace.rail().name);
    const bool slowest = energy.refresh_seconds.value_or(0) >= result.refresh_seconds.value_or(0);
    if (!result.distinct_samples || slowest) {
      result.distinct_samples = energy.distinct_samples;
      result.refresh_seconds = energy.refresh_seconds;
    }
  }
  result.rail_details = std::move(rails);
  result.seconds = summary.window.seconds();
  result.inferences = summary.inferences;
  result.joules_total = summary.gross.joules;
  result.joules_total_ci95 = around(summary.gross.joules, summary.gross.half_width, 1);
  if (summary.idle) {
    result.idle_watts = summary.idle->watts;
    result.idle_watts_ci95 =
        around(summary.idle->watts, std::optional(summary.idle->half_width), 1);
  }
  if (summary.gross.joules && *result.seconds > 0) {
    result.mean_watts = *summary.gross.joules / *result.seconds;
    result.mean_watts_ci95 =
        around(summary.gross.joules, summary.gross.half_width, 1 / *result.seconds);
  }
  if (summary.inferences > 0) {
    const double scale = 1000 / summary.inferences;
    if (summary.gross.joules) result.mj_per_inference = *summary.gross.joules * scale;
    if (summary.net.joules) result.mj_per_inference_net = *summary.net.joules * scale;
    result.ci95 = around(summary.gross.joules, summary.gross.half_width, scale);
    result.net_ci95 = around(summary.net.joules, summary.net.half_width, scale);
  }
  return result;
}

void judge_energy(const std::vector<std::string>& doubts, Result& result) {
  const std::string prefix = "energy: ";
  if (!result.validity) result.validity = Validity{};
  std::vector<std::string>& reasons = result.validity->reasons;
  for (const std::string& reason : reasons) {
    if (!reason.starts_with(prefix)) continue;
    const std::string doubt = reason.substr(prefix.size());
    std::erase_if(result.warnings,
                  [&](const std::string& warning) { return warning.starts_with(doubt); });
  }
  std::erase_if(reasons, [&](const std::string& reason) { return reason.starts_with(prefix); });
  for (const std::string& doubt : doubts) reasons.push_back(prefix + doubt);
  result.validity->verdict = reasons.empty() ? Verdict::kValid : Verdict::kInvalid;
}

json timeline_json(const MeteredRun& run) {
  const auto wall = [&](std::int64_t steady_ns) {
    return static_cast<double>(run.begin.unix_ns + (steady_ns - run.begin.steady_ns)) * 1e-9;
  };
  json timeline = json::object();
  const auto add = [&](const char* name, const Window& window) {
    timeline[name] = {wall(window.begin_ns), wall(window.end_ns)};
  };
  if (run.windows.idle_before) add("idle_before", *run.windows.idle_before);
  add("load", run.windows.load);
  if (run.windows.idle_after) add("idle_after", *run.windows.idle_after);
  for (const LoadSegment& segment : run.markers) {
    timeline["markers"].push_back(
        {wall(segment.window.begin_ns), wall(segment.window.end_ns), segment.busy});
  }
  return timeline;
}

namespace {

/// Throws nlohmann's exception where it is none, and bad_input where it makes no sense.
Window window_from(const json& span) {
  constexpr double kMost = 7.2e9;  // the year 2198
  const auto ns = [](double seconds) {
    if (!(seconds >= 0 && seconds <= kMost)) throw bad_input("a time is out of range");
    return static_cast<std::int64_t>(seconds * 1e9);
  };
  const Window window{ns(span.at(0).get<double>()), ns(span.at(1).get<double>())};
  if (window.end_ns <= window.begin_ns) throw bad_input("a span ends before it begins");
  return window;
}

}  // namespace

MeteredRun run_from_timeline(const json& timeline, std::int64_t iterations,
                             const std::string& source) {
  MeteredRun run;
  try {
    run.windows.load = window_from(timeline.at("load"));
    const auto rest = [&](const char* name) -> std::optional<Window> {
      if (!timeline.contains(name)) return std::nullopt;
      return window_from(timeline.at(name));
    };
    run.windows.idle_before = rest("idle_before");
    run.windows.idle_after = rest("idle_after");
    for (const json& marker : timeline.value("markers", json::array())) {
      run.markers.push_back({window_from(marker), marker.at(2).get<bool>()});
    }
  } catch (const json::exception& error) {
    throw bad_input(fmt::format("{}: config.timeline: {}", source, json_reason(error)));
  } catch (const Error& error) {
    throw bad_input(fmt::format("{}: config.timeline: {}", source, error.what()));
  }
  const Window& load = run.windows.load;
  run.begin = {load.begin_ns, load.begin_ns};
  run.end = {load.end_ns, load.end_ns};
  run.recording.progress.add(load.begin_ns, 0);
  run.recording.progress.add(load.end_ns, iterations);
  run.loop.total = {iterations, load.end_ns - load.begin_ns};
  return run;
}

}  // namespace hedge
