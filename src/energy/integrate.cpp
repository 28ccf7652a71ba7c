// SPDX-License-Identifier: Apache-2.0
#include "energy/integrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "energy/refresh.h"
#include "stats/series.h"

namespace hedge {
namespace {

constexpr double kZ95 = 1.959963984540054;
constexpr double kMostMissing = 0.2;  ///< Of a window.
constexpr double kNano = 1e-9;

double square(double x) {
  return x * x;
}

double seconds_between(std::int64_t begin_ns, std::int64_t end_ns) {
  return static_cast<double>(end_ns - begin_ns) * kNano;
}

/// The points from the last one that begins before the window to the first one after it.
std::span<const TracePoint> around(std::span<const TracePoint> points, const Window& window) {
  const auto before = [](const TracePoint& point, std::int64_t t) { return point.time_ns < t; };
  auto first = std::lower_bound(points.begin(), points.end(), window.begin_ns, before);
  auto last = std::lower_bound(first, points.end(), window.end_ns, before);
  if (first != points.begin()) --first;
  if (last != points.end()) ++last;
  return {first, last};
}

/// The doubt of a run of values: how they scatter, and the mean's interval.
struct Scatter {
  double stddev = 0;
  double lowest = 0;
  double highest = 0;
  double rise = 0;  ///< Of the line through them, from the first to the last.
  std::optional<double> mean_half_width;
};

/// Least squares over equally spaced values: the line's rise from the first to the last.
double rise_of(std::span<const double> values) {
  const double n = static_cast<double>(values.size());
  double product = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    product += values[i] * (static_cast<double>(i) - (n - 1) / 2);
  }
  const double squares = n * (n * n - 1) / 12;
  return squares > 0 ? product / squares * (n - 1) : 0;
}

/// Means of neighbours, so that a few hundred values are left: whose interval of the mean is that
/// of all, at a cost that does not grow with the square of their number. A rest at the end is left
/// out.
std::vector<double> coarse(const std::vector<double>& values) {
  constexpr std::size_t kFewest = 500;
  const std::size_t together = std::max<std::size_t>(values.size() / kFewest, 1);
  if (together == 1) return values;
  std::vector<double> means;
  means.reserve(values.size() / together);
  for (std::size_t i = 0; i + together <= values.size(); i += together) {
    double sum = 0;
    for (std::size_t k = i; k < i + together; ++k) sum += values[k];
    means.push_back(sum / static_cast<double>(together));
  }
  return means;
}

Scatter scatter_of(std::span<const double> values) {
  constexpr std::size_t kFewestForTrend = 10;
  Scatter scatter;
  if (values.size() < 2) return scatter;  // all zero: one value does not scatter
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  scatter.lowest = *low;
  scatter.highest = *high;
  scatter.rise = rise_of(values);
  const double last = static_cast<double>(values.size() - 1);
  const double slope = values.size() >= kFewestForTrend ? scatter.rise / last : 0;
  std::vector<double> flat;
  flat.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    flat.push_back(values[i] - slope * static_cast<double>(i));
  }
  const SeriesMean mean = mean_of_series(std::span<const double>(coarse(flat)));
  double squares = 0;
  for (const double value : flat) squares += square(value - mean.mean);
  scatter.stddev = std::sqrt(squares / last);
  if (mean.interval) {
    scatter.mean_half_width = (mean.interval->upper - mean.interval->lower) / 2;
  }
  return scatter;
}

/// Standard deviation of what a step of `resolution` can put on the mean of such values.
double step_doubt(double resolution, const Scatter& scatter) {
  if (!(resolution > 0)) return 0;
  const double all = resolution / 2 / std::numbers::sqrt3;  // uniform over half a step each way
  constexpr double kStepsThatAverage = 3;
  if (scatter.highest - scatter.lowest <= kStepsThatAverage * resolution) return all;
  const double noise = std::max(square(scatter.stddev) - square(resolution) / 12, 0.0);
  return all * std::exp(-2 * square(std::numbers::pi) * noise / square(resolution));
}

std::string missing_text(double missing, double seconds) {
  return fmt::format("{:.2f} of {:.2f} s without a reading", missing, seconds);
}

// ------------------------------------------------------------------------------------------ watts

struct Node {
  std::int64_t time_ns;
  double watts;
  bool after_gap;
};

/// Corners of the line that is integrated: each sample, and where the sensor held a value over
/// several refreshes the last one of these.
std::vector<Node> corners(std::span<const TracePoint> points, double refresh) {
  std::vector<Node> nodes;
  nodes.reserve(points.size() * 2);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const TracePoint& point = points[i];
    nodes.push_back({point.time_ns, point.value, point.after_gap});
    const bool open = i + 1 == points.size() || points[i + 1].after_gap;
    if (open) {
      if (point.until_ns > point.time_ns) nodes.push_back({point.until_ns, point.value, false});
    } else if (static_cast<double>(points[i + 1].time_ns - point.time_ns) > 1.5 * refresh) {
      const std::int64_t end = points[i + 1].time_ns - static_cast<std::int64_t>(refresh);
      nodes.push_back({end, point.value, false});
    }
  }
  return nodes;
}

/// One value a refresh, in the window.
std::vector<double> refreshed_values(std::span<const TracePoint> points, const Window& window,
                                     double refresh) {
  constexpr double kMostRepeats = 1000;
  std::vector<double> values;
  values.reserve(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::int64_t end = i + 1 < points.size() && !points[i + 1].after_gap
                                 ? points[i + 1].time_ns
                                 : points[i].until_ns;
    const std::int64_t from = std::max(points[i].time_ns, window.begin_ns);
    const std::int64_t to = std::min(end, window.end_ns);
    if (from > window.end_ns || to < window.begin_ns) continue;
    const double held = refresh > 0 ? static_cast<double>(to - from) / refresh : 1;
    const double repeats = std::clamp(std::round(held), 1.0, kMostRepeats);
    values.insert(values.end(), static_cast<std::size_t>(repeats), points[i].value);
  }
  return values;
}

struct Area {
  double joules = 0;
  double covered_s = 0;  ///< That joules are of.
  double gap_s = 0;      ///< Part of it between readings that are too far apart.
};

/// Of the line between two nodes, within the window.
void add_segment(const Node& a, const Node& b, const Window& window, Area& area) {
  const std::int64_t from = std::max(a.time_ns, window.begin_ns);
  const std::int64_t to = std::min(b.time_ns, window.end_ns);
  if (to <= from) return;
  const double length = seconds_between(a.time_ns, b.time_ns);
  const auto watts = [&](std::int64_t t) {
    return a.watts + (b.watts - a.watts) * seconds_between(a.time_ns, t) / length;
  };
  const double seconds = seconds_between(from, to);
  area.joules += (watts(from) + watts(to)) / 2 * seconds;
  area.covered_s += seconds;
  if (b.after_gap) area.gap_s += seconds;
}

Area area_of(std::span<const Node> nodes, const Window& window, std::int64_t gap_ns) {
  Area area;
  for (std::size_t i = 1; i < nodes.size(); ++i) add_segment(nodes[i - 1], nodes[i], window, area);
  // Before the first and after the last node a value is taken to last for no longer than a gap.
  const auto hold = [&](std::int64_t from, std::int64_t to, double watts) {
    if (to <= from || to - from > gap_ns) return;
    area.joules += watts * seconds_between(from, to);
    area.covered_s += seconds_between(from, to);
  };
  hold(window.begin_ns, std::min(nodes.front().time_ns, window.end_ns), nodes.front().watts);
  hold(std::max(nodes.back().time_ns, window.begin_ns), window.end_ns, nodes.back().watts);
  return area;
}

/// By how much the power changes across an edge of the window, watts: when, within a refresh, is
/// not known.
double jump_at(std::span<const TracePoint> points, std::int64_t edge) {
  const auto after =
      std::lower_bound(points.begin(), points.end(), edge,
                       [](const TracePoint& point, std::int64_t t) { return point.time_ns < t; });
  if (after == points.begin() || after == points.end()) return 0;
  return std::fabs(after->value - (after - 1)->value);
}

void integrate_watts(const RailTrace& trace, const Window& window, double refresh,
                     RailEnergy& energy) {
  const auto points = around(trace.points(), window);
  const std::vector<Node> nodes = corners(points, refresh);
  const Area area = area_of(nodes, window, std::max(trace.gap_ns(), std::int64_t(refresh)));
  const double missing = energy.seconds - area.covered_s;
  energy.gap_seconds = missing > 1e-6 ? missing + area.gap_s : area.gap_s;
  if (!(area.covered_s > 0) || energy.gap_seconds > kMostMissing * energy.seconds) {
    energy.unknown_reason = missing_text(energy.gap_seconds, energy.seconds);
    return;
  }
  const double failing =
      trace.failing_ns_until(window.end_ns) - trace.failing_ns_until(window.begin_ns);
  if (failing * kNano > kMostMissing * energy.seconds) {
    energy.unknown_reason =
        fmt::format("readings failed for {:.0f} % of the time ({:.0f} % is allowed)",
                    100 * failing * kNano / energy.seconds, 100 * kMostMissing);
    return;
  }
  energy.joules = area.joules / area.covered_s * energy.seconds;

  const Scatter scatter = scatter_of(refreshed_values(points, window, refresh));
  const double step = step_doubt(trace.rail().resolution, scatter) * energy.seconds;
  const double refresh_s = refresh * kNano;
  if (energy.distinct_samples < 2 || !scatter.mean_half_width) {
    // Power that stays within a step, as at rest, of a sensor that moves at other times.
    constexpr double kFewestRefreshes = 3;
    const bool steady = step > 0 && refresh > 0 && energy.seconds > kFewestRefreshes * refresh_s;
    if (steady) energy.half_width = kZ95 * step;
    return;
  }
  const double lag = std::fabs(scatter.rise) * refresh_s / 2 / std::numbers::sqrt3;
  const double edges =
      std::hypot(jump_at(points, window.begin_ns), jump_at(points, window.end_ns)) * refresh_s /
      std::numbers::sqrt3;
  const double gaps = scatter.stddev * energy.gap_seconds;
  energy.half_width =
      std::sqrt(square(*scatter.mean_half_width * energy.seconds) +
                square(kZ95) * (square(step) + square(lag) + square(edges) + square(gaps)));
}

// ---------------------------------------------------------------------------------------- counter

/// Mean power between two ticks, watts.
double power_between(const TracePoint& a, const TracePoint& b) {
  return (b.value - a.value) / seconds_between(a.time_ns, b.time_ns);
}

std::vector<double> tick_powers(std::span<const TracePoint> points) {
  std::vector<double> powers;
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (!points[i].after_gap) powers.push_back(power_between(points[i - 1], points[i]));
  }
  return powers;
}

/// What an edge of the window leaves open, a variance in joules.
double edge_variance(std::span<const TracePoint> points, std::int64_t edge, double mean_power,
                     double stddev, double refresh_s) {
  const auto after =
      std::lower_bound(points.begin(), points.end(), edge,
                       [](const TracePoint& point, std::int64_t t) { return point.time_ns < t; });
  const bool outside = after == points.end() || after == points.begin();
  const TracePoint& tick = after == points.end() ? points.back() : *after;
  if (outside && tick.time_ns != edge) {  // continued at the mean power
    const double beyond = std::fabs(seconds_between(tick.time_ns, edge));
    return square((stddev + mean_power / std::sqrt(12.0)) * std::min(beyond, refresh_s) +
                  stddev * beyond);
  }
  const auto at = static_cast<std::size_t>(&tick - points.data());
  // When it ticked: between the last reading that saw the value before, and the first of its own.
  const std::int64_t seen = at > 0 ? points[at - 1].until_ns : tick.time_ns;
  const double unseen_s = seconds_between(seen, tick.time_ns);
  // A uniform one has 1/12; two of them, less than normal, reach further than 1.96 of that.
  double variance = square(mean_power * unseen_s) / 10;
  if (!outside && at > 0 && tick.time_ns != edge) {
    const double length = seconds_between(points[at - 1].time_ns, tick.time_ns);
    const double part = seconds_between(points[at - 1].time_ns, edge) / length;
    const double here = power_between(points[at - 1], tick);
    const double before = at > 1 ? power_between(points[at - 2], points[at - 1]) : here;
    const double next = at + 1 < points.size() ? power_between(tick, points[at + 1]) : here;
    variance +=
        square(4 * part * (1 - part) * length * (std::fabs(next - before) / 4 + stddev / 2));
  }
  return variance;
}

void integrate_counter(const RailTrace& trace, const Window& window, double refresh,
                       RailEnergy& energy) {
  const auto points = around(trace.points(), window);
  if (points.size() < 2) {
    energy.unknown_reason = "the counter stood still; measure for longer, or it is stuck";
    return;
  }
  double joules = 0;
  double covered = 0;
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (points[i].after_gap) continue;
    const std::int64_t from = std::max(points[i - 1].time_ns, window.begin_ns);
    const std::int64_t to = std::min(points[i].time_ns, window.end_ns);
    if (to <= from) continue;
    joules += power_between(points[i - 1], points[i]) * seconds_between(from, to);
    covered += seconds_between(from, to);
  }
  const std::vector<double> powers = tick_powers(points);
  const Scatter scatter = scatter_of(powers);
  const double refresh_s = refresh * kNano;
  // Before its first and after its last tick a counter goes on as it did, for a little.
  const double missing = energy.seconds - covered;
  const double edges = std::max(2 * refresh_s, 0.0);
  if (missing > edges) energy.gap_seconds = missing - edges;
  if (powers.empty() || !(covered > 0) || energy.gap_seconds > kMostMissing * energy.seconds) {
    energy.unknown_reason = covered > 0 ? missing_text(missing, energy.seconds)
                                        : "the counter moved less than twice; measure for longer";
    return;
  }
  const double power = joules / covered;
  energy.joules = joules + power * missing;
  if (energy.distinct_samples < 2) return;
  const double variance = square(trace.rail().resolution) / 6 +
                          edge_variance(points, window.begin_ns, power, scatter.stddev, refresh_s) +
                          edge_variance(points, window.end_ns, power, scatter.stddev, refresh_s) +
                          square(scatter.stddev * energy.gap_seconds);
  energy.half_width = kZ95 * std::sqrt(variance);
}

}  // namespace

RailEnergy integrate(const RailTrace& trace, const Window& window) {
  RailEnergy energy;
  energy.seconds = window.seconds();
  const auto points = around(trace.points(), window);
  if (!(energy.seconds > 0) || points.empty()) {
    energy.unknown_reason = "no reading";
    return energy;
  }
  for (const TracePoint& point : points) {
    const bool inside = point.time_ns <= window.end_ns && point.until_ns >= window.begin_ns;
    energy.distinct_samples += inside ? 1 : 0;
  }
  // Of a few changes it is told less well than of the whole trace.
  constexpr std::size_t kFewestPoints = 20;
  const auto told = points.size() >= kFewestPoints ? points : trace.points();
  const auto refresh = refresh_of(told, trace.rail().stamped);
  if (refresh && refresh->resolved) energy.refresh_seconds = refresh->ns * kNano;
  const double refresh_ns = refresh ? refresh->ns : 0;
  if (trace.rail().kind == RailKind::kPower) {
    integrate_watts(trace, window, refresh_ns, energy);
  } else {
    integrate_counter(trace, window, refresh_ns, energy);
  }
  return energy;
}

std::optional<Window> aligned_window(const RailTrace& trace, const Window& window) {
  const auto points = trace.points();
  std::vector<std::int64_t> ticks;
  for (std::size_t i = 1; i < points.size(); ++i) {
    const std::int64_t t = points[i].time_ns;
    if (!points[i].after_gap && t >= window.begin_ns && t <= window.end_ns) ticks.push_back(t);
  }
  if (ticks.size() <= kFewestSamples) return std::nullopt;
  return Window{ticks[1], ticks.back()};
}

}  // namespace hedge
