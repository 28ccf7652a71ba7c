// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace hedge {

/// Whether an event came: 1 or 0. (Of hierarchical inference: the local answer is right.)
using Outcome = std::uint8_t;

/// Forecasts of an event and whether it came, sample by sample. The functions below throw bad_input
/// where the lengths differ, where there is no sample, and where a probability (of roc_auc: a
/// score) is NaN; those on probabilities also for one outside 0..1.
struct Forecasts {
  std::span<const double> probabilities;
  std::span<const Outcome> outcomes;
};

/// Area under the ROC curve: the chance that a random sample with the event has the higher score
/// than a random one without, ties counted half (Mann and Whitney's U by midranks, over n1 n0;
/// Hanley and McNeil, Radiology 143, 1982). Any scores will do, infinite ones too. Nothing where
/// all outcomes are the same. O(n log n).
[[nodiscard]] std::optional<double> roc_auc(const Forecasts& forecasts);

/// Mean square of probability - outcome (G. W. Brier, Monthly Weather Review 78, 1950). 0 is best;
/// a forecast that is always 1/2 has 0.25.
[[nodiscard]] double brier_score(const Forecasts& forecasts);

/// Mean negative log likelihood, nats. Probabilities are kept 2^-52 away from 0 and 1, so that one
/// wrong certainty costs 36 and not everything.
[[nodiscard]] double log_loss(const Forecasts& forecasts);

enum class Binning : std::uint8_t {
  kEqualWidth,  ///< 0, 1/bins, 2/bins, ..., 1.
  kQuantiles,   ///< Edges at the quantiles of the probabilities, so that ties stay together.
};

/// Samples whose probability lies in (lower, upper]; of the first bin also at lower.
struct ReliabilityBin {
  double lower = 0;
  double upper = 0;
  std::int64_t count = 0;
  double mean_probability = 0;  ///< 0 of an empty bin, as the next.
  double frequency = 0;         ///< Share of the samples whose event came.
};

/// Bins in ascending order, empty ones among them. (DeGroot and Fienberg, The Statistician 32,
/// 1983.) Throws bad_input for fewer than 1 bin or more than 10,000.
[[nodiscard]] std::vector<ReliabilityBin> reliability_bins(const Forecasts& forecasts,
                                                           std::size_t bins, Binning binning);

/// Expected calibration error: |mean probability - frequency| of each bin, weighted by its samples
/// (Naeini, Cooper and Hauskrecht, AAAI 2015; Guo et al., ICML 2017). It depends on the bins: their
/// number goes with it. 0 without samples.
[[nodiscard]] double expected_calibration_error(std::span<const ReliabilityBin> bins);

}  // namespace hedge
