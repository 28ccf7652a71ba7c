// SPDX-License-Identifier: Apache-2.0
// The plot of a sweep: one panel an axis, accuracy upwards in all of them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "cli/hi/sweep_report.h"
#include "cli/program/quantity.h"
#include "cli/program/svg.h"

namespace hedge::cli {
namespace {

constexpr double kPanelWidth = 400;
constexpr double kPanelHeight = 330;
constexpr double kLeft = 66;
constexpr double kGap = 44;
constexpr double kTop = 84;
constexpr double kBottom = 62;
constexpr double kRight = 26;

// Dashes tell curves apart beside their colours.
constexpr std::array<Stroke, 6> kStrokes{{{kCurveColors[0], 2.2, ""},
                                          {kCurveColors[1], 2.2, "8 3"},
                                          {kCurveColors[2], 2.2, "3 2"},
                                          {kCurveColors[3], 2.2, "9 3 2 3"},
                                          {kCurveColors[4], 2.2, "1.5 2.5"},
                                          {kCurveColors[5], 2.2, "12 4"}}};
constexpr Stroke kBoundStroke{"#767676", 1.4, "4 4"};
// Over lines: a white border of the letters keeps them legible.
constexpr std::string_view kGreyOver =
    "fill=\"#5a5a5a\" paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"4\"";
constexpr std::string_view kBoldOver =
    "font-weight=\"bold\" paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"4\"";

struct Scale {
  double low = 0;
  double high = 1;
};

/// One for each decision: the rules keep theirs from plot to plot, further decisions of the same
/// rule take what is free.
std::vector<Stroke> strokes_of(const SweepReport& report) {
  std::array<bool, kStrokes.size()> taken{};
  std::vector<Stroke> strokes;
  for (const Ranking& ranking : report.data.rankings) {
    auto index = static_cast<std::size_t>(ranking.decision.rule) % kStrokes.size();
    for (std::size_t i = 0; i < kStrokes.size() && taken[index]; ++i) {
      index = (index + 1) % kStrokes.size();
    }
    taken[index] = true;
    strokes.push_back(kStrokes[index]);
  }
  return strokes;
}

/// A panel: where it lies, and what its axes mean.
class Panel {
 public:
  Panel(Svg& svg, double left, Scale x, Scale y) : svg_(svg), left_(left), x_(x), y_(y) {}

  [[nodiscard]] SvgPoint at(double x, double y) const {
    return {left_ + kPanelWidth * (x - x_.low) / (x_.high - x_.low),
            kTop + kPanelHeight * (1 - (y - y_.low) / (y_.high - y_.low))};
  }
  [[nodiscard]] double left() const { return left_; }
  [[nodiscard]] Svg& svg() const { return svg_; }

  void axes(const std::string& title, const std::string& x_label, bool y_labels) {
    for (const double tick : round_ticks(y_.low, y_.high, 6)) {
      svg_.line(at(x_.low, tick), at(x_.high, tick), kGrid);
      if (!y_labels) continue;
      const SvgPoint label = at(x_.low, tick);
      svg_.text({label.x - 8, label.y + 4.5}, fmt::format("{:g}", tick), "end", kGrey);
    }
    for (const double tick : round_ticks(x_.low, x_.high, 5)) {
      svg_.line(at(tick, y_.low), at(tick, y_.high), kGrid);
      const SvgPoint label = at(tick, y_.low);
      svg_.text({label.x, label.y + 19}, fmt::format("{:g}", tick), "middle", kGrey);
    }
    svg_.line(at(x_.low, y_.low), at(x_.high, y_.low), {"#5a5a5a", 1.2, ""});
    svg_.text({left_ + kPanelWidth / 2, kTop + kPanelHeight + 42}, x_label, "middle");
    svg_.text({left_, kTop - 14}, title, "start", kBold);
  }

  /// Points closer than this many pixels say nothing.
  static constexpr double kCloseBy = 1.2;

  void curve(const std::vector<SvgPoint>& values, const Stroke& stroke) {
    std::vector<SvgPoint> drawn;
    for (const SvgPoint& value : values) {
      const SvgPoint pixel = at(value.x, value.y);
      const bool last = &value == &values.back();
      if (!drawn.empty() && !last &&
          std::hypot(pixel.x - drawn.back().x, pixel.y - drawn.back().y) < kCloseBy) {
        continue;
      }
      drawn.push_back(pixel);
    }
    svg_.polyline(drawn, stroke);
  }

  /// A marked point with its name beside it, on the side where there is room.
  void mark(double x, double y, const std::string& name, std::string_view fill, double dy) {
    const SvgPoint pixel = at(x, y);
    const bool right_half = pixel.x > left_ + kPanelWidth * 0.55;
    svg_.circle(pixel, 5, fill, "#222222");
    svg_.text({pixel.x + (right_half ? -10 : 10), pixel.y + dy}, name, right_half ? "end" : "start",
              kBoldOver);
  }

 private:
  Svg& svg_;
  double left_;
  Scale x_;
  Scale y_;
};

/// What is drawn along x, in the unit of the axis.
struct PlotAxis {
  Axis axis = Axis::kShare;
  double unit = 1;  ///< Multiplies cost_of.
  std::string title{};
  std::string label{};
};

double x_of(const OperatingPoint& point, const PlotAxis& axis) {
  return axis.unit * cost_of(point, axis.axis);
}

std::vector<PlotAxis> plot_axes(const SweepReport& report) {
  std::vector<PlotAxis> axes{
      {Axis::kShare, 100, "Accuracy against offloads", "images offloaded, %"}};
  const auto largest = [&](Axis axis) {
    double most = 0;
    for (const OperatingPoint& point : report.points) most = std::max(most, cost_of(point, axis));
    return most;
  };
  if (report.costs.costs.seconds) {
    const bool ms = largest(Axis::kSeconds) >= 1e-3;
    axes.push_back({Axis::kSeconds, ms ? 1e3 : 1e6, "Accuracy against latency",
                    fmt::format("mean latency of an image, {}", ms ? "ms" : "µs")});
  }
  if (report.costs.costs.joules) {
    const bool joules = largest(Axis::kJoules) >= 1;
    const bool mj = largest(Axis::kJoules) >= 1e-3;
    axes.push_back({Axis::kJoules,
                    joules ? 1
                    : mj   ? 1e3
                           : 1e6,
                    "Accuracy against energy",
                    fmt::format("mean energy of an image, {}", joules ? "J"
                                                               : mj   ? "mJ"
                                                                      : "µJ")});
  }
  return axes;
}

Scale accuracy_scale(const SweepReport& report) {
  const Outcomes& outcomes = report.data.outcomes;
  const double most = 100 * oracle_accuracy(outcomes, static_cast<double>(outcomes.gains) /
                                                          static_cast<double>(outcomes.size()));
  double least = most;
  for (const OperatingPoint& point : report.points) least = std::min(least, 100 * point.accuracy);
  const double margin = std::max(0.06 * (most - least), 0.5);
  return {least - 2.5 * margin, most + margin};
}

Scale cost_scale(const SweepReport& report, const PlotAxis& axis) {
  if (axis.axis == Axis::kShare) return {0, 100};
  double most = 0;
  for (const OperatingPoint& point : report.points) most = std::max(most, x_of(point, axis));
  return {0, most > 0 ? 1.04 * most : 1};
}

/// Random and oracle, named along their lines.
void draw_bounds(Panel& panel, const SweepReport& report, const PlotAxis& axis) {
  const Outcomes& outcomes = report.data.outcomes;
  const auto cost = axis.axis == Axis::kSeconds  ? report.costs.costs.seconds
                    : axis.axis == Axis::kJoules ? report.costs.costs.joules
                                                 : std::nullopt;
  std::vector<SvgPoint> random;
  std::vector<SvgPoint> oracle;
  for (int step = 0; step <= 200; ++step) {
    const double share = step / 200.0;
    const double x = axis.unit * (cost ? cost->at(share) : share);
    random.push_back({x, 100 * random_accuracy(outcomes, share)});
    oracle.push_back({x, 100 * oracle_accuracy(outcomes, share)});
  }
  panel.curve(random, kBoundStroke);
  panel.curve(oracle, kBoundStroke);
  const SvgPoint top = panel.at(oracle[90].x, oracle[90].y);
  panel.svg().text({top.x, top.y - 7}, "oracle", "middle", kGreyOver);
  const SvgPoint low = panel.at(random[70].x, random[70].y);
  panel.svg().text({low.x + 6, low.y + 18}, "random", "start", kGreyOver);
}

/// The names of the curves in the corner that they leave free, best first, with their areas.
void draw_key(const Panel& panel, const SweepReport& report) {
  const std::vector<Stroke> strokes = strokes_of(report);
  std::vector<std::size_t> order(report.data.names.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return report.areas[a] > report.areas[b]; });
  constexpr double kRow = 19;
  const double x = panel.left() + kPanelWidth - 176;
  double y = kTop + kPanelHeight - 14 - kRow * static_cast<double>(order.size());
  panel.svg().text({x + 168, y}, "area under it", "end", kGrey);
  for (const std::size_t index : order) {
    y += kRow;
    panel.svg().line({x, y - 4.5}, {x + 34, y - 4.5}, strokes[index]);
    panel.svg().text({x + 42, y}, report.data.names[index]);
    panel.svg().text({x + 168, y}, fmt::format("{:.2f} %", 100 * report.areas[index]), "end");
  }
}

void draw_panel(Svg& svg, const SweepReport& report, const PlotAxis& axis, double left,
                const Scale& y_scale) {
  Panel panel(svg, left, cost_scale(report, axis), y_scale);
  panel.axes(axis.title, axis.label, axis.axis == Axis::kShare);
  draw_bounds(panel, report, axis);
  const std::vector<Stroke> strokes = strokes_of(report);
  for (std::size_t i = 0; i < report.data.names.size(); ++i) {
    std::vector<SvgPoint> curve;
    for (const OperatingPoint& point : report.points_of(static_cast<int>(i))) {
      curve.push_back({x_of(point, axis), 100 * point.accuracy});
    }
    panel.curve(curve, strokes[i]);
  }
  panel.mark(x_of(report.points[0], axis), 100 * report.points[0].accuracy, "all-local", "#ffffff",
             18);
  panel.mark(x_of(report.points[1], axis), 100 * report.points[1].accuracy, "all-server", "#ffffff",
             -12);
  if (report.best && report.chosen().decision >= 0) {
    panel.mark(x_of(report.chosen(), axis), 100 * report.chosen().accuracy,
               "best: " + name_of_point(report, report.chosen()), "#222222", 22);
  }
  if (axis.axis == Axis::kShare) draw_key(panel, report);
}

}  // namespace

std::string sweep_svg(const SweepReport& report) {
  const std::vector<PlotAxis> axes = plot_axes(report);
  const auto panels = static_cast<double>(axes.size());
  Svg svg(kLeft + panels * kPanelWidth + (panels - 1) * kGap + kRight,
          kTop + kPanelHeight + kBottom);
  svg.text({kLeft, 24}, fmt::format("{}, {} images", report.data.source, report.data.images));
  if (report.best) {
    svg.text({kLeft, 44},
             fmt::format("best: {}, {}", offload_rule(report, report.chosen()),
                         point_text(report.chosen())),
             "start", kGrey);
  }
  svg.text({kLeft - 8, kTop - 14}, "% right", "end", kGrey);
  const Scale y_scale = accuracy_scale(report);
  double left = kLeft;
  for (const PlotAxis& axis : axes) {
    draw_panel(svg, report, axis, left, y_scale);
    left += kPanelWidth + kGap;
  }
  return svg.finish();
}

}  // namespace hedge::cli
