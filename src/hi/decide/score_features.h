// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "stats/arg_max.h"

namespace hedge {

struct RecordedScores;

/// What a model's output holds.
enum class ScoreKind : std::uint8_t {
  kLogits,   ///< Softmax is still to be applied.
  kSoftmax,  ///< Probabilities: the model ends in softmax.
};

/// "logits", "softmax".
[[nodiscard]] constexpr std::string_view name_of(ScoreKind kind) noexcept {
  return kind == ScoreKind::kLogits ? "logits" : "softmax";
}

/// What a decision may look at, from the scores of one image. All NaN where fewer than two scores
/// are numbers, or where the largest is infinite: such an image is never trusted.
struct ScoreFeatures {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  int predicted = kNoClass;  ///< arg_max.
  double top1 = kNone;       ///< Largest softmax score, 0 to 1.
  double top2 = kNone;       ///< The second largest; equal to top1 on a tie.
  double entropy = kNone;    ///< Of the softmax scores, nats, 0 to ln(classes).
  double energy = kNone;     ///< -T ln(sum exp(logit / T)); NaN where there are no logits.
  /// top1 - top2.
  [[nodiscard]] double margin() const noexcept { return top1 - top2; }
};

/// Softmax is applied once, where the scores are logits: softmax(logits / T). Scores that are
/// softmax's already are taken as they are at T = 1, else as logits up to a constant (their
/// logarithm). NaN counts as no score. Energy after Liu et al., "Energy-based Out-of-distribution
/// Detection" (NeurIPS 2020). No allocation.
[[nodiscard]] ScoreFeatures score_features(std::span<const float> scores, ScoreKind kind,
                                           double temperature = 1) noexcept;

/// What recorded scores are, where nobody says: softmax's where no score is below 0 and each
/// row sums to 1 within 1e-3, else logits. Sums of rows with NaN say nothing; where there are no
/// others, logits.
[[nodiscard]] ScoreKind score_kind_of(const RecordedScores& scores) noexcept;

}  // namespace hedge
