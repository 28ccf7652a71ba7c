// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hi/fit/decision_fit.h"
#include "stats/calibration_metrics.h"

namespace hedge {

/// What a decision says of each image of a set.
struct Verdicts {
  std::vector<double> probabilities;  ///< That the local answer is right; NaN: no scores.
  std::vector<bool> kept;
};

/// Those of one decision on all images: on those that it was fitted on they are too good.
[[nodiscard]] Verdicts judge_all(const LabelledScores& data, const DecisionFit& fit);

struct CrossValidation {
  int folds = 5;
  std::uint64_t seed = 1;
};

/// Each image by the decision that was fitted on the other folds (cross-fitting): what can be
/// expected of images that the fit has not seen. Images without scores are in no fold. Throws
/// bad_input as stratified_folds and fit_decision; of the latter beginning with the fold.
[[nodiscard]] Verdicts cross_fit(const LabelledScores& data, const DecisionFitOptions& options,
                                 const CrossValidation& validation);

/// Of verdicts, against the truth. Metrics of probabilities are over the images that have one,
/// counts over all: an image without is offloaded.
struct DecisionQuality {
  std::int64_t kept_right = 0;
  std::int64_t kept_wrong = 0;
  std::int64_t offloaded_right = 0;  ///< Though the local answer was right.
  std::int64_t offloaded_wrong = 0;
  std::optional<std::int64_t> hi_right{};      ///< Kept and right, or offloaded and the server is.
  std::optional<std::int64_t> server_right{};  ///< On all images.
  std::optional<double> auc{};                 ///< Nothing where all outcomes are the same.
  double brier = 0;
  double log_loss = 0;
  double ece = 0;            ///< In bins of equal width.
  double ece_quantiles = 0;  ///< In as many between quantiles.
  std::vector<ReliabilityBin> bins{};

  [[nodiscard]] std::int64_t images() const noexcept {
    return kept_right + kept_wrong + offloaded_right + offloaded_wrong;
  }
  /// Kept where right, offloaded where wrong.
  [[nodiscard]] double accuracy() const noexcept {
    return static_cast<double>(kept_right + offloaded_wrong) / static_cast<double>(images());
  }
  [[nodiscard]] double offload_share() const noexcept {
    return static_cast<double>(offloaded_right + offloaded_wrong) / static_cast<double>(images());
  }
};

/// Bins of the calibration error, as Guo et al. (ICML 2017) have them.
inline constexpr std::size_t kReliabilityBins = 15;

/// `server` are the classes that it gives; empty: not known. Throws bad_input where their number is
/// another, or where no image has a probability.
[[nodiscard]] DecisionQuality quality_of(const LabelledScores& data, const Verdicts& verdicts,
                                         std::span<const int> server,
                                         std::size_t bins = kReliabilityBins);

}  // namespace hedge
