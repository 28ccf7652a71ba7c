// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "stats/intervals.h"

namespace hedge {

/// Durations of A over durations of B, from pairs measured side by side. Below 1: A is faster.
struct RatioEstimate {
  std::size_t pairs = 0;
  double ratio = 1;                    ///< Median of the pairwise ratios.
  std::optional<Interval> ratio_ci95;  ///< Of the median. From 6 independent pairs on.
};

/// Median of a_ns[i] / b_ns[i], in the order in which they were taken, and its interval at 95 %
/// (quantile_ranks_of_series; the sign test's where pairs are independent). It assumes no
/// distribution and shrugs off outliers. For an even number of
/// pairs the median is the geometric mean of the two middle ratios, so that swapping A and B
/// inverts the answer exactly. Durations below 1 ns, the unit of the clock, count as 1 ns. Throws
/// bad_input when the lengths differ or are 0.
[[nodiscard]] RatioEstimate paired_ratio(std::span<const std::int64_t> a_ns,
                                         std::span<const std::int64_t> b_ns);

}  // namespace hedge
