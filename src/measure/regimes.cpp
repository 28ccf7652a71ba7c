// SPDX-License-Identifier: Apache-2.0
#include "measure/regimes.h"

#include <algorithm>
#include <cmath>

#include "hedge/error.h"
#include "stats/change_points.h"

namespace hedge {
namespace {

constexpr std::size_t kMostBlocks = 400;
constexpr std::size_t kFewestBlocks = 20;
constexpr std::size_t kBlock = 5;  ///< Samples, where there are enough of them.

// Standard errors from which on a step or a slope is none of chance. There are some hundred places
// for a step, hence the larger one. Where the noise is known from few batches both grow.
constexpr double kStepThreshold = 4.7;
constexpr double kSlopeThreshold = 3.3;
constexpr double kGrowthForFewBatches = 2;

double median_of(std::vector<std::int64_t>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return static_cast<double>(*middle);
}

double median_of(std::span<const std::int64_t> ns) {
  std::vector<std::int64_t> copy(ns.begin(), ns.end());
  return median_of(copy);
}

/// What does not fill a block is left out at the beginning.
struct Blocks {
  std::vector<double> medians;
  std::size_t length = 0;
  std::size_t first = 0;  ///< Index of the sample with which they begin.
};

Blocks block_medians(std::span<const std::int64_t> ns) {
  Blocks blocks;
  const std::size_t count = std::clamp(ns.size() / kBlock, kFewestBlocks, kMostBlocks);
  blocks.length = ns.size() / count;
  blocks.first = ns.size() - blocks.length * count;
  blocks.medians.reserve(count);
  std::vector<std::int64_t> block(blocks.length);
  for (std::size_t i = 0; i < count; ++i) {
    const auto from = ns.subspan(blocks.first + i * blocks.length, blocks.length);
    std::copy(from.begin(), from.end(), block.begin());
    blocks.medians.push_back(median_of(block));
  }
  return blocks;
}

double median_of(std::span<const double> values) {
  std::vector<double> copy(values.begin(), values.end());
  const auto middle = copy.begin() + static_cast<std::ptrdiff_t>((copy.size() - 1) / 2);
  std::nth_element(copy.begin(), middle, copy.end());
  return *middle;
}

double relative_change(double before, double after) {
  return before > 0 ? after / before - 1 : 0;
}

/// From one segment to the next, whichever is larger: by their medians, or by those of the quarters
/// that face each other, for of a saw the whole ones look alike.
double relative_step(std::span<const double> before, std::span<const double> after) {
  const double whole = relative_change(median_of(before), median_of(after));
  const double near = relative_change(median_of(before.last((before.size() + 3) / 4)),
                                      median_of(after.first((after.size() + 3) / 4)));
  return std::abs(near) > std::abs(whole) ? near : whole;
}

std::vector<Segment> segments_of(std::span<const std::int64_t> ns, const Blocks& blocks,
                                 const std::vector<std::size_t>& points) {
  std::vector<Segment> segments;
  const std::span<const double> medians = blocks.medians;
  std::size_t previous = 0;  // The block with which the segment before begins.
  for (std::size_t i = 0; i <= points.size(); ++i) {
    const std::size_t begin = i == 0 ? 0 : points[i - 1];
    const std::size_t end = i == points.size() ? medians.size() : points[i];
    Segment segment;
    segment.first = i == 0 ? 0 : blocks.first + begin * blocks.length;
    segment.count = blocks.first + end * blocks.length - segment.first;
    segment.median_ns = median_of(ns.subspan(segment.first, segment.count));
    if (i > 0) {
      segment.step = relative_step(medians.subspan(previous, begin - previous),
                                   medians.subspan(begin, end - begin));
    }
    previous = begin;
    segments.push_back(segment);
  }
  return segments;
}

/// The segment that begins with the least step below kLeastChange: single blocks beside it were
/// further off. 0: none.
std::size_t weakest_change(const std::vector<Segment>& segments) {
  std::size_t weakest = 0;
  double least = kLeastChange;
  for (std::size_t i = 1; i < segments.size(); ++i) {
    const double step = std::abs(segments[i].step);
    if (step >= least) continue;
    weakest = i;
    least = step;
  }
  return weakest;
}

}  // namespace

Regimes find_regimes(std::span<const std::int64_t> ns, std::int64_t resolution_ns) {
  if (ns.empty()) throw bad_input("there are no samples to look for changes in");
  Regimes regimes;
  const double median = median_of(ns);
  if (ns.size() < kFewestToJudge) {
    regimes.judged = false;
    regimes.segments = {{.first = 0, .count = ns.size(), .median_ns = median}};
    return regimes;
  }
  const Blocks blocks = block_medians(ns);
  const auto resolution = static_cast<double>(std::max<std::int64_t>(resolution_ns, 1));
  const double least = std::max(kLeastChange * median, 2 * resolution);

  LocalNoise noise = local_noise(blocks.medians);
  // Medians of whole nanoseconds often agree exactly: the clock's own noise remains.
  noise.long_run_stddev = std::max(noise.long_run_stddev, resolution / 4);
  const double doubt = 1 + kGrowthForFewBatches * static_cast<double>(noise.batch) /
                               static_cast<double>(blocks.medians.size());
  auto points = change_points(blocks.medians, noise, kStepThreshold * doubt, least);
  regimes.segments = segments_of(ns, blocks, points);
  while (const std::size_t weakest = weakest_change(regimes.segments)) {
    points.erase(points.begin() + static_cast<std::ptrdiff_t>(weakest) - 1);
    regimes.segments = segments_of(ns, blocks, points);
  }
  const Trend trend = linear_trend(blocks.medians, noise);
  if (points.empty() && std::abs(trend.change) >= least &&
      std::abs(trend.score) >= kSlopeThreshold * doubt) {
    regimes.drift = trend.change / (median - trend.change / 2);
  }
  return regimes;
}

}  // namespace hedge
