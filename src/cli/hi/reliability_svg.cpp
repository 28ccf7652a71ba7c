// SPDX-License-Identifier: Apache-2.0
// The reliability diagram as a picture.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/hi/fit_text.h"
#include "cli/program/svg.h"
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

constexpr std::string_view kColor = "#1f5fa8";
constexpr std::string_view kPaleColor = "#8fafd4";

/// Of the diagram's square; both are shares of 1.
SvgPoint at(double probability, double frequency) {
  return {kLeft + probability * kSide, kTop + (1 - frequency) * kSide};
}

void draw_axes(Svg& svg) {
  for (const double share : {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}) {
    const SvgPoint below = at(share, 0);
    const SvgPoint left = at(0, share);
    svg.line(below, at(share, 1), kGrid);
    svg.line(left, at(1, share), kGrid);
    svg.text({below.x, below.y + 18}, fmt::format("{:.1f}", share), "middle", kGrey);
    svg.text({left.x - 8, left.y + 4}, fmt::format("{:.1f}", share), "end", kGrey);
  }
  svg.line(at(0, 0), at(1, 1), {"#888888", 1, "5 4"});
  svg.upward_text({18, at(0, 0.5).y}, "share of right local answers");
  const SvgPoint middle = at(0.5, 0);
  svg.text({middle.x, middle.y + 36}, "probability of a right answer, out of fold", "middle");
}

void draw_bins(const DecisionQuality& quality, Svg& svg) {
  std::vector<SvgPoint> points;
  for (const ReliabilityBin& bin : quality.bins) {
    if (bin.count == 0) continue;
    const auto right =
        static_cast<std::int64_t>(bin.frequency * static_cast<double>(bin.count) + 0.5);
    const Interval interval = wilson_interval(right, bin.count);
    svg.line(at(bin.mean_probability, interval.lower), at(bin.mean_probability, interval.upper),
             {kPaleColor, 2});
    points.push_back(at(bin.mean_probability, bin.frequency));
  }
  svg.polyline(points, {kColor, 2});
  for (const ReliabilityBin& bin : quality.bins) {
    if (bin.count == 0) continue;
    svg.circle(at(bin.mean_probability, bin.frequency), 3, kColor, kColor,
               fmt::format("p {:.3f} to {:.3f}: {} images, mean p {:.4f}, right {:.4f}", bin.lower,
                           bin.upper, bin.count, bin.mean_probability, bin.frequency));
  }
}

/// Below the diagram: how many images lie in each bin.
void draw_counts(const DecisionQuality& quality, Svg& svg) {
  constexpr double kBase = kCountsTop + kCountsHeight;
  std::int64_t most = 1;
  for (const ReliabilityBin& bin : quality.bins) most = std::max(most, bin.count);
  for (const ReliabilityBin& bin : quality.bins) {
    const double height =
        kCountsHeight * static_cast<double>(bin.count) / static_cast<double>(most);
    svg.rectangle({at(bin.lower, 0).x + 1, kBase - height},
                  std::max(0.5, kSide * (bin.upper - bin.lower) - 2), height, kPaleColor);
  }
  svg.line({kLeft, kBase}, {kLeft + kSide, kBase}, {"#5a5a5a", 1.2});
  svg.text({kLeft - 8, kCountsTop + 8}, fmt::format("{}", most), "end", kGrey);
  svg.text({kLeft - 8, kBase + 4}, "0", "end", kGrey);
  svg.text({kLeft + kSide / 2, kBase + 28},
           fmt::format("images; ECE {:.4f} ({} bins), Brier score {:.4f}{}", quality.ece,
                       quality.bins.size(), quality.brier,
                       quality.auc ? fmt::format(", AUC {:.4f}", *quality.auc) : ""),
           "middle");
}

}  // namespace

std::string reliability_svg(const DecisionQuality& quality, const std::string& title) {
  Svg svg(kWidth, kHeight);
  svg.text({kLeft, 24}, title, "start", kBold);
  draw_axes(svg);
  draw_bins(quality, svg);
  draw_counts(quality, svg);
  return svg.finish();
}

}  // namespace hedge::cli
