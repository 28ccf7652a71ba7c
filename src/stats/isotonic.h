// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "stats/calibration_metrics.h"

namespace hedge {

/// A non-decreasing function by its corners: linear between two of them, constant outside.
struct IsotonicFit {
  std::vector<double> scores;         ///< Ascending, no two alike; at least one.
  std::vector<double> probabilities;  ///< Non-decreasing, 0 to 1.

  [[nodiscard]] double operator()(double score) const noexcept;
  /// The least score from which on the function is at least `probability`: -infinity where it is so
  /// everywhere, nothing where it is nowhere.
  [[nodiscard]] std::optional<double> least_score(double probability) const noexcept;
};

/// The non-decreasing function of the score (`probabilities` may hold any finite numbers here) that
/// is nearest to the outcomes in the mean square, by pooling adjacent violators (Barlow et al.,
/// Statistical Inference under Order Restrictions, 1972; for calibration Zadrozny and Elkan, KDD
/// 2002). Samples with the same score are pooled first. Throws bad_input: no samples, lengths that
/// differ, a score that is no finite number. O(n log n).
[[nodiscard]] IsotonicFit fit_isotonic(const Forecasts& samples);

}  // namespace hedge
