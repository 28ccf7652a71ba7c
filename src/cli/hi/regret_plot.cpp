// SPDX-License-Identifier: Apache-2.0
#include "cli/hi/regret_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "cli/program/svg.h"

namespace hedge::cli {
namespace {

constexpr double kWidth = 720;
constexpr double kHeight = 420;
constexpr double kLeft = 70;
constexpr double kTop = 20;
constexpr double kRight = 20;
constexpr double kBottom = 50;
constexpr int kTicks = 5;

struct Axes {
  double images = 1;
  double low = 0;
  double high = 1;
  [[nodiscard]] SvgPoint at(double image, double regret) const {
    return {kLeft + (kWidth - kLeft - kRight) * image / images,
            kTop + (kHeight - kTop - kBottom) * (high - regret) / (high - low)};
  }
};

double lower_of(const OnlineMean& mean) {
  return mean.ci95 ? mean.ci95->lower : mean.mean;
}
double upper_of(const OnlineMean& mean) {
  return mean.ci95 ? mean.ci95->upper : mean.mean;
}

Axes axes_of(const std::vector<RegretCurve>& curves) {
  Axes axes;
  double low = 0;
  double high = 0;
  for (const RegretCurve& curve : curves) {
    axes.images = std::max(axes.images, static_cast<double>(curve.summary->images));
    // Of few repetitions the interval of an early point may be far wider than the curve.
    for (const OnlineMean& point : curve.summary->curve) {
      low = std::min(low, point.mean);
      high = std::max(high, point.mean);
    }
    low = std::min(low, lower_of(curve.summary->regret));
    high = std::max(high, upper_of(curve.summary->regret));
  }
  if (high - low < 1e-9) high = low + 1;
  const double step = round_step(high - low, kTicks);
  axes.low = std::floor(low / step) * step;
  axes.high = std::ceil(high / step) * step;
  return axes;
}

void draw_axes(const Axes& axes, Svg& svg) {
  for (const double tick : round_ticks(axes.low, axes.high, kTicks)) {
    const SvgPoint left = axes.at(0, tick);
    svg.line(left, axes.at(axes.images, tick), kGrid);
    svg.text({left.x - 6, left.y + 4}, fmt::format("{:g}", tick), "end", kGrey);
  }
  for (const double tick : round_ticks(0, axes.images, kTicks)) {
    const SvgPoint low = axes.at(tick, axes.low);
    svg.text({low.x, low.y + 18}, fmt::format("{:.0f}", tick), "middle", kGrey);
  }
  svg.text({(kLeft + kWidth - kRight) / 2, kHeight - 12}, "images", "middle");
  svg.upward_text({16, (kTop + kHeight - kBottom) / 2}, "regret, wrong answers");
}

void draw_curve(const Axes& axes, const RegretCurve& curve, std::size_t number, Svg& svg) {
  const OnlineSummary& summary = *curve.summary;
  const std::string_view color = kCurveColors[number % kCurveColors.size()];
  const auto at = [&](std::size_t i, double value) {
    return axes.at(static_cast<double>(summary.checkpoints[i]),
                   std::clamp(value, axes.low, axes.high));
  };
  std::vector<SvgPoint> line;
  std::vector<SvgPoint> band;
  for (std::size_t i = 0; i < summary.curve.size(); ++i) {
    line.push_back(at(i, summary.curve[i].mean));
    band.push_back(at(i, lower_of(summary.curve[i])));
  }
  for (std::size_t i = summary.curve.size(); i > 0; --i) {
    band.push_back(at(i - 1, upper_of(summary.curve[i - 1])));
  }
  svg.polygon(band, color, 0.2);
  svg.polyline(line, {color, 2});
  svg.text({kLeft + 12, kTop + 16 + 18 * static_cast<double>(number)}, curve.name, "start",
           fmt::format("fill=\"{}\"", color));
}

}  // namespace

std::string regret_plot(const std::vector<RegretCurve>& curves) {
  const Axes axes = axes_of(curves);
  Svg svg(kWidth, kHeight);
  draw_axes(axes, svg);
  for (std::size_t i = 0; i < curves.size(); ++i) draw_curve(axes, curves[i], i, svg);
  return svg.finish();
}

}  // namespace hedge::cli
