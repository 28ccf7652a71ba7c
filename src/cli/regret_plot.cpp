// SPDX-License-Identifier: Apache-2.0
#include "cli/regret_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <string_view>

namespace hedge::cli {
namespace {

constexpr double kWidth = 720;
constexpr double kHeight = 420;
constexpr double kLeft = 70;
constexpr double kTop = 20;
constexpr double kRight = 20;
constexpr double kBottom = 50;
// Okabe and Ito's colours, told apart by the colour-blind too.
constexpr std::array<std::string_view, 6> kColours{"#0072B2", "#D55E00", "#009E73",
                                                   "#CC79A7", "#56B4E9", "#E69F00"};

struct Axes {
  double images = 1;
  double low = 0;
  double high = 1;
  [[nodiscard]] double x(double value) const {
    return kLeft + (kWidth - kLeft - kRight) * value / images;
  }
  [[nodiscard]] double y(double value) const {
    return kTop + (kHeight - kTop - kBottom) * (high - value) / (high - low);
  }
};

double lower_of(const OnlineMean& mean) {
  return mean.ci95 ? mean.ci95->lower : mean.mean;
}
double upper_of(const OnlineMean& mean) {
  return mean.ci95 ? mean.ci95->upper : mean.mean;
}

/// 1, 2 or 5 times a power of ten, so that `span` holds about five.
double tick_step(double span) {
  const double power = std::pow(10, std::floor(std::log10(span / 5)));
  const double ratio = span / 5 / power;
  return power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
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
  const double step = tick_step(high - low);
  axes.low = std::floor(low / step) * step;
  axes.high = std::ceil(high / step) * step;
  return axes;
}

void add_axes(const Axes& axes, std::string& svg) {
  const auto out = std::back_inserter(svg);
  const double step = tick_step(axes.high - axes.low);
  const auto lines = static_cast<int>(std::lround((axes.high - axes.low) / step));
  for (int i = 0; i <= lines; ++i) {
    const double value = axes.low + i * step;
    fmt::format_to(out,
                   "<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>"
                   "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>\n",
                   kLeft, kWidth - kRight, axes.y(value), axes.y(value), kLeft - 6,
                   axes.y(value) + 4, std::abs(value) < step / 2 ? 0 : value);
  }
  const double images_step = tick_step(axes.images);
  for (double value = 0; value <= axes.images; value += images_step) {
    fmt::format_to(out, "<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.0f}</text>\n",
                   axes.x(value), kHeight - kBottom + 18, value);
  }
  fmt::format_to(out,
                 "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">images</text>"
                 "<text transform=\"translate(16 {}) rotate(-90)\" text-anchor=\"middle\">regret, "
                 "wrong answers</text>\n",
                 (kLeft + kWidth - kRight) / 2, kHeight - 12, (kTop + kHeight - kBottom) / 2);
}

void add_curve(const Axes& axes, const RegretCurve& curve, std::size_t number, std::string& svg) {
  const OnlineSummary& summary = *curve.summary;
  const std::string_view colour = kColours[number % kColours.size()];
  std::string line;
  std::string band;
  const auto add = [&](std::string& to, std::size_t at, double value) {
    fmt::format_to(std::back_inserter(to), "{:.1f},{:.1f} ",
                   axes.x(static_cast<double>(summary.checkpoints[at])),
                   axes.y(std::clamp(value, axes.low, axes.high)));
  };
  for (std::size_t i = 0; i < summary.curve.size(); ++i) {
    add(line, i, summary.curve[i].mean);
    add(band, i, lower_of(summary.curve[i]));
  }
  for (std::size_t i = summary.curve.size(); i > 0; --i) {
    add(band, i - 1, upper_of(summary.curve[i - 1]));
  }
  const double y = kTop + 16 + 18 * static_cast<double>(number);
  fmt::format_to(std::back_inserter(svg),
                 "<polygon points=\"{}\" fill=\"{}\" fill-opacity=\"0.2\"/>"
                 "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>"
                 "<text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>\n",
                 band, colour, line, colour, kLeft + 12, y, colour, curve.name);
}

}  // namespace

std::string regret_plot(const std::vector<RegretCurve>& curves) {
  const Axes axes = axes_of(curves);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      kWidth, kHeight);
  add_axes(axes, svg);
  for (std::size_t i = 0; i < curves.size(); ++i) add_curve(axes, curves[i], i, svg);
  return svg + "</svg>\n";
}

}  // namespace hedge::cli
