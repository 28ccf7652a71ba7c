// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
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

/// Colours of curves that the colour-blind tell apart, after Okabe and Ito (2008).
inline constexpr std::array<std::string_view, 6> kCurveColors{"#0072B2", "#D55E00", "#009E73",
                                                              "#CC79A7", "#B8860B", "#56B4E9"};
inline constexpr Stroke kGrid{"#e4e4e4", 1, ""};
// Styles of texts.
inline constexpr std::string_view kGrey = "fill=\"#5a5a5a\"";
inline constexpr std::string_view kBold = "font-weight=\"bold\"";

/// Shapes of a drawing of our own plots, in pixels from the upper left corner.
class Svg {
 public:
  Svg(double width, double height);
  void line(SvgPoint from, SvgPoint to, const Stroke& stroke);
  void polyline(std::span<const SvgPoint> points, const Stroke& stroke);
  /// Without a border.
  void polygon(std::span<const SvgPoint> points, std::string_view fill, double opacity);
  void rectangle(SvgPoint upper_left, double width, double height, std::string_view fill);
  /// `title` is what a viewer shows of it while the pointer rests on it.
  void circle(SvgPoint center, double radius, std::string_view fill, std::string_view border,
              std::string_view title = {});
  /// `anchor`: start, middle or end. `style` is further attributes, as `font-weight="bold"`.
  void text(SvgPoint at, std::string_view text, std::string_view anchor = "start",
            std::string_view style = {});
  /// Read from below upwards, its middle at that point.
  void upward_text(SvgPoint at, std::string_view text);
  /// The file.
  [[nodiscard]] std::string finish() const;

 private:
  std::string body_;
};

/// 1, 2 or 5 times a power of ten: about `wanted` of them make up `span`, which is positive.
[[nodiscard]] double round_step(double span, int wanted);
/// The multiples of round_step(high - low, wanted) within [low, high].
[[nodiscard]] std::vector<double> round_ticks(double low, double high, int wanted);

}  // namespace hedge::cli
