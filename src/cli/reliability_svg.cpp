// SPDX-License-Identifier: Apache-2.0
// The reliability diagram as a picture.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"
#include "cli/fit_text.h"
#include "stats/intervals.h"

namespace hedge::cli {
namespace {

constexpr double kLeft = 60;
constexpr double kTop = 44;
constexpr double kSide = 360;       ///< Of the square of the diagram.
constexpr double kCountsTop = 452;  ///< Of the strip that counts the images.
constexpr double kCountsHeight = 70;
constexpr double kWidth = kLeft + kSide + 24;
constexpr double kHeight = kCountsTop + kCountsHeight + 50;

double x_of(double share) {
  return kLeft + share * kSide;
}
double y_of(double share) {
  return kTop + (1 - share) * kSide;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    switch (letter) {
      case '<':
        result += "&lt;";
        break;
      case '&':
        result += "&amp;";
        break;
      default:
        result += letter;
    }
  }
  return result;
}

std::string axes() {
  std::string svg;
  for (const double share : {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}) {
    svg += fmt::format(
        "<path d='M{0:.1f} {1:.1f}V{2:.1f}M{3:.1f} {4:.1f}H{5:.1f}' class='grid'/>\n"
        "<text x='{0:.1f}' y='{6:.1f}' class='middle'>{7:.1f}</text>\n"
        "<text x='{8:.1f}' y='{9:.1f}' class='end'>{7:.1f}</text>\n",
        x_of(share), y_of(0), y_of(1), x_of(0), y_of(share), x_of(1), y_of(0) + 18, share,
        kLeft - 8, y_of(share) + 4);
  }
  svg += fmt::format("<path d='M{:.1f} {:.1f}L{:.1f} {:.1f}' class='diagonal'/>\n", x_of(0),
                     y_of(0), x_of(1), y_of(1));
  return svg;
}

std::string points(const DecisionQuality& quality) {
  std::string line;
  std::string marks;
  for (const ReliabilityBin& bin : quality.bins) {
    if (bin.count == 0) continue;
    const double x = x_of(bin.mean_probability);
    const auto right =
        static_cast<std::int64_t>(bin.frequency * static_cast<double>(bin.count) + 0.5);
    const Interval interval = wilson_interval(right, bin.count);
    line += fmt::format("{}{:.1f} {:.1f}", line.empty() ? "M" : "L", x, y_of(bin.frequency));
    marks += fmt::format(
        "<path d='M{0:.1f} {1:.1f}V{2:.1f}' class='interval'/>\n"
        "<circle cx='{0:.1f}' cy='{3:.1f}' r='4'><title>p {4:.3f} to {5:.3f}: {6} images, mean p "
        "{7:.4f}, right {8:.4f}</title></circle>\n",
        x, y_of(interval.lower), y_of(interval.upper), y_of(bin.frequency), bin.lower, bin.upper,
        bin.count, bin.mean_probability, bin.frequency);
  }
  return fmt::format("<path d='{}' class='line'/>\n", line) + marks;
}

std::string counts(const DecisionQuality& quality) {
  std::int64_t most = 1;
  for (const ReliabilityBin& bin : quality.bins) most = std::max(most, bin.count);
  std::string svg;
  for (const ReliabilityBin& bin : quality.bins) {
    const double height =
        kCountsHeight * static_cast<double>(bin.count) / static_cast<double>(most);
    svg +=
        fmt::format("<rect x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}' class='count'/>\n",
                    x_of(bin.lower) + 1, kCountsTop + kCountsHeight - height,
                    std::max(0.5, kSide * (bin.upper - bin.lower) - 2), height);
  }
  return svg + fmt::format(
                   "<path d='M{:.1f} {:.1f}H{:.1f}' class='axis'/>\n"
                   "<text x='{:.1f}' y='{:.1f}' class='end'>{}</text>\n"
                   "<text x='{:.1f}' y='{:.1f}' class='end'>0</text>\n",
                   x_of(0), kCountsTop + kCountsHeight, x_of(1), kLeft - 8, kCountsTop + 8, most,
                   kLeft - 8, kCountsTop + kCountsHeight + 4);
}

}  // namespace

std::string reliability_svg(const DecisionQuality& quality, const std::string& title) {
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='{0:.0f}' height='{1:.0f}' "
      "viewBox='0 0 {0:.0f} {1:.0f}'>\n"
      "<style>text{{font:12px sans-serif;fill:#222}} .middle{{text-anchor:middle}} "
      ".end{{text-anchor:end}} .title{{font-size:13px;font-weight:bold}} "
      ".grid{{stroke:#e3e3e3}} .axis{{stroke:#555}} .diagonal{{stroke:#888;stroke-dasharray:5 4}} "
      ".line{{stroke:#1f5fa8;stroke-width:2;fill:none}} "
      ".interval{{stroke:#1f5fa8;stroke-opacity:.5;stroke-width:2}} circle{{fill:#1f5fa8}} "
      ".count{{fill:#9db8d6}}</style>\n"
      "<rect width='100%' height='100%' fill='#fff'/>\n"
      "<text x='{2:.1f}' y='24' class='title'>{3}</text>\n",
      kWidth, kHeight, kLeft, escaped(printable(title)));
  svg += axes() + points(quality) + counts(quality);
  svg += fmt::format(
      "<text transform='translate(18 {:.1f}) rotate(-90)' class='middle'>share of right local "
      "answers</text>\n"
      "<text x='{:.1f}' y='{:.1f}' class='middle'>probability of a right answer, out of "
      "fold</text>\n"
      "<text x='{:.1f}' y='{:.1f}' class='middle'>images; ECE {:.4f} ({} bins), Brier score "
      "{:.4f}{}</text>\n</svg>\n",
      y_of(0.5), x_of(0.5), y_of(0) + 36, x_of(0.5), kCountsTop + kCountsHeight + 28, quality.ece,
      quality.bins.size(), quality.brier,
      quality.auc ? fmt::format(", AUC {:.4f}", *quality.auc) : "");
  return svg;
}

}  // namespace hedge::cli
