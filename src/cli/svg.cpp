// SPDX-License-Identifier: Apache-2.0
#include "cli/svg.h"

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
  body_ += "<polyline points=\"";
  for (const SvgPoint& point : points) {
    fmt::format_to(std::back_inserter(body_), "{:.1f},{:.1f} ", point.x, point.y);
  }
  body_ += fmt::format("\" fill=\"none\" stroke-linejoin=\"round\" {}/>\n", attributes(stroke));
}

void Svg::circle(SvgPoint center, double radius, std::string_view fill, std::string_view border) {
  body_ += fmt::format(
      "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"{}\" stroke=\"{}\" "
      "stroke-width=\"2\"/>\n",
      center.x, center.y, radius, fill, border);
}

void Svg::text(SvgPoint at, std::string_view text, std::string_view anchor,
               std::string_view style) {
  body_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" {}>{}</text>\n", at.x,
                       at.y, anchor, style, escape(text));
}

std::string Svg::finish() const {
  return body_ + "</svg>\n";
}

std::vector<double> round_ticks(double low, double high, int wanted) {
  const double rough = (high - low) / wanted;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double mantissa = rough / power;
  const double step = power * (mantissa < 1.5 ? 1 : mantissa < 3.5 ? 2 : mantissa < 7.5 ? 5 : 10);
  std::vector<double> ticks;
  const double slack = step * 1e-9;
  for (double k = std::ceil((low - slack) / step); k * step <= high + slack; ++k) {
    ticks.push_back(k * step + 0.0);  // 0, not -0.
  }
  return ticks;
}

}  // namespace hedge::cli
