// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "stats/intervals.h"
#include "stats/series.h"

// How long A takes, over how long B takes. Below 1: A is faster.

namespace hedge {

/// Comparisons are acted upon, so that of equals at most one in twenty may be called different,
/// also where autocorrelation is known from few samples; at 98 % it is one in fifty to one in
/// forty.
inline constexpr double kRatioConfidence = 0.98;

/// Comparisons leave out this share of durations (or of ratios) at either end.
inline constexpr double kRatioTrimmed = 0.05;

struct RatioEstimate {
  double ratio = 1;
  std::optional<Interval> interval;  ///< At kRatioConfidence; nothing where too little is known.
};

/// From pairs measured side by side, in the order in which they were taken: the trimmed mean of the
/// logarithms of a_ns[i] / b_ns[i] and its interval by Student's t (trimmed_mean_of_series, which
/// respects autocorrelation). Swapping A and B inverts the answer exactly. Durations below 1 ns,
/// the unit of the clock, count as 1 ns. Throws bad_input when the lengths differ or are 0.
[[nodiscard]] RatioEstimate paired_ratio(std::span<const std::int64_t> a_ns,
                                         std::span<const std::int64_t> b_ns);

/// The same of pairs measured in rounds, between which both were loaded anew: where memory happens
/// to lie makes equals differ by some tenths of a percent for as long as they live (T. Mytkowicz et
/// al., Producing Wrong Data Without Doing Anything Obviously Wrong, ASPLOS 2009), so that rounds,
/// not pairs, are what is independent. The mean of the rounds' trimmed means of logarithms, and
/// Student's t over them. `begins` holds the index of each round's first pair, ascending from 0; of
/// one round it is paired_ratio. Throws bad_input as that does, and for a round without pairs.
[[nodiscard]] RatioEstimate ratio_over_rounds(std::span<const std::int64_t> a_ns,
                                              std::span<const std::int64_t> b_ns,
                                              std::span<const std::size_t> begins);

/// The ratio of two means that were measured apart, and its interval by Fieller's theorem with
/// Welch's degrees of freedom (E. Fieller, Some problems in interval estimation, JRSS B 16, 1954).
/// Nothing where B's mean may be 0 or a count is below 2. Throws bad_input unless both means are
/// above 0.
[[nodiscard]] RatioEstimate ratio_of_means(const MeanEstimate& a, const MeanEstimate& b);

/// The product of two means that are independent of one another: squares of relative standard
/// errors add (JCGM 100:2008, GUM, 5.1.6), and degrees of freedom are Welch's and Satterthwaite's,
/// with those relative errors (ibid., G.4.2), rounded down. A count of 0 where either has one below
/// 2. Throws bad_input unless both means are above 0.
[[nodiscard]] MeanEstimate product_of_means(const MeanEstimate& a, const MeanEstimate& b);

}  // namespace hedge
