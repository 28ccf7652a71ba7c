// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "stats/intervals.h"

// Intervals for samples in the order in which they were taken. Latencies hang together: a slow one
// is seldom alone, so that n of them say as much as fewer independent ones would.

namespace hedge {

/// How many samples hang together: the integrated autocorrelation time 1 + 2 * sum of the
/// autocorrelations, by Geyer's initial positive sequence (C. Geyer, Practical Markov Chain Monte
/// Carlo, Statistical Science 7, 1992, 3.3), at least 1. 1 for a constant series. The cost is that
/// of the length times the lags summed.
[[nodiscard]] double autocorrelation_time(std::span<const double> series);

struct SeriesMean {
  double mean = 0;
  std::optional<Interval> interval;  ///< From 2 samples on.
  double autocorrelation_time = 1;   ///< In samples.
};

/// The mean and its interval by batch means: Student's t over the means of batches that are ten
/// autocorrelation times long, 10 to 200 of them (L. Schmeiser, Batch Size Effects in the Analysis
/// of Simulation Output, Operations Research 30, 1982). Below 20 samples, over the samples. From 50
/// autocorrelation times on, AR(1) noise and independent samples are covered at 93 % to 97 % for a
/// confidence of 95 % (tests/stats). Throws bad_input: no samples, a confidence outside (0, 1).
[[nodiscard]] SeriesMean mean_of_series(std::span<const std::int64_t> series,
                                        double confidence = 0.95);

/// How many independent samples say as much about the share of samples at or below `level` as this
/// series does; at most its length. T is std::int64_t or double.
template <class T>
[[nodiscard]] std::size_t independent_samples(std::span<const T> series, T level);

/// The ranks of quantile_ranks for `independent` samples, stretched to a series of `count`.
[[nodiscard]] std::optional<RankInterval> stretched_quantile_ranks(std::size_t count,
                                                                   std::size_t independent,
                                                                   double quantile,
                                                                   double confidence = 0.95);

/// Likewise the rank of quantile_upper_rank.
[[nodiscard]] std::optional<std::size_t> stretched_upper_rank(std::size_t count,
                                                              std::size_t independent,
                                                              double quantile,
                                                              double confidence = 0.99);

/// Both: stretched_quantile_ranks of as many samples as independent_samples counts. `estimate` is
/// the sample quantile. Nothing when there are too few.
template <class T>
[[nodiscard]] std::optional<RankInterval> quantile_ranks_of_series(std::span<const T> series,
                                                                   T estimate, double quantile,
                                                                   double confidence = 0.95);

}  // namespace hedge
