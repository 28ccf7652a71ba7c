// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hedge::cli {

struct SvgPoint {
  double x = 0;
  double y = 0;
};

/// How a line is drawn. Colours as SVG takes them.
struct Stroke {
  std::string_view color = "#333333";
  double width = 1;
  std::string_view dash{};  ///< "6 3"; empty: solid.
};

/// Shapes of a drawing of our own plots, in pixels from the upper left corner.
class Svg {
 public:
  Svg(double width, double height);
  void line(SvgPoint from, SvgPoint to, const Stroke& stroke);
  void polyline(std::span<const SvgPoint> points, const Stroke& stroke);
  void circle(SvgPoint center, double radius, std::string_view fill, std::string_view border);
  /// `anchor`: start, middle or end. `style` is further attributes, as `font-weight="bold"`.
  void text(SvgPoint at, std::string_view text, std::string_view anchor = "start",
            std::string_view style = {});
  /// The file.
  [[nodiscard]] std::string finish() const;

 private:
  std::string body_;
};

/// Multiples of 1, 2 or 5 times a power of ten within [low, high], about `wanted` of them.
[[nodiscard]] std::vector<double> round_ticks(double low, double high, int wanted);

}  // namespace hedge::cli
