// SPDX-License-Identifier: Apache-2.0
#include "cli/program/svg.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "base/text.h"

namespace hedge::cli {
namespace {

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {  // XML takes neither control characters nor bad UTF-8.
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string attributes(const Stroke& stroke) {
  std::string text =
      fmt::format("stroke=\"{}\" stroke-width=\"{:.2f}\"", stroke.color, stroke.width);
  if (!stroke.dash.empty()) text += fmt::format(" stroke-dasharray=\"{}\"", stroke.dash);
  return text;
}

std::string coordinates(std::span<const SvgPoint> points) {
  std::string text;
  for (const SvgPoint& point : points) {
    fmt::format_to(std::back_inserter(text), "{:.1f},{:.1f} ", point.x, point.y);
  }
  return text;
}

}  // namespace

Svg::Svg(double width, double height) {
  body_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"sans-serif\" font-size=\"13\" "
      "fill=\"#222222\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
      width, height);
}

void Svg::line(SvgPoint from, SvgPoint to, const Stroke& stroke) {
  body_ += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n",
                       from.x, from.y, to.x, to.y, attributes(stroke));
}

void Svg::polyline(std::span<const SvgPoint> points, const Stroke& stroke) {
  body_ += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke-linejoin=\"round\" {}/>\n",
                       coordinates(points), attributes(stroke));
}

void Svg::polygon(std::span<const SvgPoint> points, std::string_view fill, double opacity) {
  body_ += fmt::format("<polygon points=\"{}\" fill=\"{}\" fill-opacity=\"{:.2f}\"/>\n",
                       coordinates(points), fill, opacity);
}

void Svg::rectangle(SvgPoint upper_left, double width, double height, std::string_view fill) {
  body_ += fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n",
      upper_left.x, upper_left.y, width, height, fill);
}

void Svg::circle(SvgPoint center, double radius, std::string_view fill, std::string_view border,
                 std::string_view title) {
  body_ += fmt::format(
      "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"{}\" stroke=\"{}\" "
      "stroke-width=\"2\"{}\n",
      center.x, center.y, radius, fill, border,
      title.empty() ? "/>" : fmt::format("><title>{}</title></circle>", escape(title)));
}

void Svg::text(SvgPoint at, std::string_view text, std::string_view anchor,
               std::string_view style) {
  body_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" {}>{}</text>\n", at.x,
                       at.y, anchor, style, escape(text));
}

void Svg::upward_text(SvgPoint at, std::string_view text) {
  body_ += fmt::format(
      "<text transform=\"translate({:.1f} {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
      at.x, at.y, escape(text));
}

std::string Svg::finish() const {
  return body_ + "</svg>\n";
}

double round_step(double span, int wanted) {
  const double rough = span / wanted;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double mantissa = rough / power;
  return power * (mantissa < 1.5 ? 1 : mantissa < 3.5 ? 2 : mantissa < 7.5 ? 5 : 10);
}

std::vector<double> round_ticks(double low, double high, int wanted) {
  const double step = round_step(high - low, wanted);
  std::vector<double> ticks;
  const double slack = step * 1e-9;
  for (double k = std::ceil((low - slack) / step); k * step <= high + slack; ++k) {
    ticks.push_back(k * step + 0.0);  // 0, not -0.
  }
  return ticks;
}

}  // namespace hedge::cli
