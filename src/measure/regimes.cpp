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
constexpr std::size_t kMostMeanBlocks = 100;
constexpr std::size_t kMeanBlock = 20;  ///< That each may hold its share of what is seldom.

// Standard errors from which on a step or a slope is none of chance. There are some hundred places
// for a step, hence the larger one. Where the noise is known from few batches both grow.
constexpr double kStepThreshold = 4.2;
constexpr double kSlopeThreshold = 3.3;
constexpr double kGrowthForFewBatches = 2;

template <class T>
double middle_of(std::span<const T> values) {
  std::vector<T> copy(values.begin(), values.end());
  const auto middle = copy.begin() + static_cast<std::ptrdiff_t>((copy.size() - 1) / 2);
  std::nth_element(copy.begin(), middle, copy.end());
  return static_cast<double>(*middle);
}

double median_of(std::span<const std::int64_t> ns) {
  return middle_of(ns);
}

double mean_of(std::span<const std::int64_t> ns) {
  double sum = 0;
  for (const std::int64_t sample : ns) sum += static_cast<double>(sample);
  return sum / static_cast<double>(ns.size());
}

/// What does not fill a block is left out at the beginning.
struct Blocks {
  std::vector<double> levels;
  std::size_t length = 0;
  std::size_t first = 0;  ///< Index of the sample with which they begin.
};

Blocks blocks_of(std::span<const std::int64_t> ns, std::size_t count,
                 double (*level_of)(std::span<const std::int64_t>)) {
  Blocks blocks;
  blocks.length = ns.size() / count;
  blocks.first = ns.size() - blocks.length * count;
  blocks.levels.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    blocks.levels.push_back(level_of(ns.subspan(blocks.first + i * blocks.length, blocks.length)));
  }
  return blocks;
}

double relative_change(double before, double after) {
  return before > 0 ? after / before - 1 : 0;
}

/// From one segment to the next: by the medians of their blocks, or by those of the quarters that
/// face each other where these are well apart, for of a saw the whole ones look alike.
double relative_step(std::span<const double> before, std::span<const double> after) {
  const double whole = relative_change(middle_of(before), middle_of(after));
  const double near = relative_change(middle_of(before.last((before.size() + 3) / 4)),
                                      middle_of(after.first((after.size() + 3) / 4)));
  const bool saw = std::abs(near) >= 2 * kLeastChange && std::abs(near) > std::abs(whole);
  return saw ? near : whole;
}

std::vector<Segment> segments_of(std::span<const std::int64_t> ns, const Blocks& blocks,
                                 const std::vector<std::size_t>& points) {
  std::vector<Segment> segments;
  const std::span<const double> levels = blocks.levels;
  std::size_t previous = 0;  // The block with which the segment before begins.
  for (std::size_t i = 0; i <= points.size(); ++i) {
    const std::size_t begin = i == 0 ? 0 : points[i - 1];
    const std::size_t end = i == points.size() ? levels.size() : points[i];
    Segment segment;
    segment.first = i == 0 ? 0 : blocks.first + begin * blocks.length;
    segment.count = blocks.first + end * blocks.length - segment.first;
    const auto samples = ns.subspan(segment.first, segment.count);
    segment.median_ns = median_of(samples);
    segment.mean_ns = mean_of(samples);
    if (i > 0) {
      segment.step = relative_step(levels.subspan(previous, begin - previous),
                                   levels.subspan(begin, end - begin));
    }
    previous = begin;
    segments.push_back(segment);
  }
  return segments;
}

/// The segment that begins with the least step below `least`. 0: none.
std::size_t weakest_change(const std::vector<Segment>& segments, double least) {
  std::size_t weakest = 0;
  for (std::size_t i = 1; i < segments.size(); ++i) {
    const double step = std::abs(segments[i].step);
    if (step >= least) continue;
    weakest = i;
    least = step;
  }
  return weakest;
}

/// From 1; equals share the mean of theirs.
std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> ranks;
  ranks.reserve(values.size());
  for (const double value : values) {
    const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), value);
    ranks.push_back(static_cast<double>((first - sorted.begin()) + (last - sorted.begin()) + 1) /
                    2);
  }
  return ranks;
}

/// The levels' ranks: a block that many slow samples met by chance is but the largest one, however
/// slow they are.
struct Ranks {
  explicit Ranks(const Blocks& blocks)
      : values(ranks_of(blocks.levels)), noise(local_noise(values)) {
    // Levels of whole nanoseconds often agree exactly.
    noise.long_run_stddev = std::max(noise.long_run_stddev, 1.0);
    doubt = 1 + kGrowthForFewBatches * static_cast<double>(noise.batch) /
                    static_cast<double>(values.size());
  }
  std::vector<double> values;
  LocalNoise noise;
  double doubt = 1;  ///< Factor of the thresholds.
};

/// Segments between the changes in the ranks, without those whose step, a fraction, is below
/// `least`.
std::vector<Segment> find_segments(std::span<const std::int64_t> ns, const Blocks& blocks,
                                   const Ranks& ranks, double least) {
  auto points = change_points(ranks.values, ranks.noise, kStepThreshold * ranks.doubt, 0);
  std::vector<Segment> segments = segments_of(ns, blocks, points);
  while (const std::size_t weakest = weakest_change(segments, least)) {
    points.erase(points.begin() + static_cast<std::ptrdiff_t>(weakest) - 1);
    segments = segments_of(ns, blocks, points);
  }
  return segments;
}

/// From begin to end, as a fraction.
std::optional<double> find_drift(const Blocks& blocks, const Ranks& ranks, double median,
                                 double least) {
  const double change = linear_trend(blocks.levels, ranks.noise).change;
  const double score = linear_trend(ranks.values, ranks.noise).score;
  if (std::abs(change) < least * median || std::abs(score) < kSlopeThreshold * ranks.doubt) {
    return std::nullopt;
  }
  return change / (median - change / 2);
}

}  // namespace

Regimes find_regimes(std::span<const std::int64_t> ns, std::int64_t resolution_ns) {
  if (ns.empty()) throw bad_input("there are no samples to look for changes in");
  Regimes regimes;
  const double median = median_of(ns);
  if (ns.size() < kFewestToJudge) {
    regimes.judged = false;
    regimes.segments = {
        {.first = 0, .count = ns.size(), .median_ns = median, .mean_ns = mean_of(ns)}};
    return regimes;
  }
  const auto resolution = static_cast<double>(std::max<std::int64_t>(resolution_ns, 1));
  const double least = std::max(kLeastChange, 2 * resolution / std::max(median, 1.0));
  const Blocks blocks =
      blocks_of(ns, std::clamp(ns.size() / kBlock, kFewestBlocks, kMostBlocks), median_of);
  const Ranks ranks(blocks);
  regimes.segments = find_segments(ns, blocks, ranks, least);
  if (regimes.segments.size() > 1) return regimes;
  regimes.drift = find_drift(blocks, ranks, median, least);
  if (regimes.drift) return regimes;
  // The median held. The mean need not have: of those that are slow there may be more than before.
  const Blocks means =
      blocks_of(ns, std::clamp(ns.size() / kMeanBlock, kFewestBlocks, kMostMeanBlocks), mean_of);
  regimes.segments = find_segments(ns, means, Ranks(means), least);
  regimes.of_means = regimes.segments.size() > 1;
  return regimes;
}

}  // namespace hedge
