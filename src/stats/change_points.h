// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

// Whether a series keeps its level. What is asked is not whether neighbouring values hang together
// (they may), but whether there are steps and slopes that such noise does not make.

namespace hedge {

/// The noise of a series whose level may move.
struct LocalNoise {
  /// Standard deviation that the mean of n values has, times the root of n, n being large: the root
  /// of the long-run variance.
  double long_run_stddev = 0;
  /// Values after which two means of that many hang together no longer.
  std::size_t batch = 1;
};

/// From the differences of means of neighbouring batches (as von Neumann's mean square successive
/// difference, Annals of Mathematical Statistics 12, 1941): a step touches few of them and a slope
/// moves all by the same, so neither is taken for noise as it would be by a variance. Batches
/// double until the estimate grows by less than half, and what neighbours then still have in common
/// is extrapolated away. The scale is the median absolute deviation, which lets half of the
/// differences be out of the way. No noise below 3 values.
[[nodiscard]] LocalNoise local_noise(std::span<const double> series);

/// A straight line through a series.
struct Trend {
  double change = 0;  ///< From its first value to its last.
  double score = 0;   ///< The change in units of its standard error.
};
/// Least squares; 0 below 3 values.
[[nodiscard]] Trend linear_trend(std::span<const double> series, const LocalNoise& noise);

/// Positions at which the level steps, ascending, each the index of the first value of the new
/// level: binary segmentation by the largest CUSUM statistic, looked for in seeded intervals of all
/// lengths, so that steps up and down again do not hide each other (S. Kovács, P. Bühlmann, H. Li
/// and A. Munk, Seeded binary segmentation, Biometrika 110, 2023). A step counts from `threshold`
/// standard errors on, and where the two means beside it differ by at least `least_step`.
[[nodiscard]] std::vector<std::size_t> change_points(std::span<const double> series,
                                                     const LocalNoise& noise, double threshold,
                                                     double least_step);

}  // namespace hedge
