// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/scores_file.h"
#include "hi/decide/decision.h"
#include "hi/decide/score_features.h"
#include "hi/fit/logistic_fit.h"
#include "hi/fit/temperature_fit.h"
#include "stats/isotonic.h"

namespace hedge {

/// What is done to probabilities so that they are frequencies.
enum class Calibration : std::uint8_t {
  kNone,
  kTemperature,  ///< Of the scores, before anything looks at them.
  kIsotonic,     ///< Of what the rule says, after.
};
/// "none", "temperature", "isotonic".
[[nodiscard]] std::string_view name_of(Calibration calibration) noexcept;
/// Throws bad_input with the names that there are.
[[nodiscard]] Calibration calibration_named(std::string_view name);

/// Recorded scores with the true classes, looked at once.
class LabelledScores {
 public:
  /// `scores` outlive the object. Throws bad_input: a label short or over, one that is no class.
  LabelledScores(const RecordedScores& scores, ScoreKind kind, std::vector<int> labels);

  [[nodiscard]] std::size_t size() const noexcept { return outcomes_.size(); }
  [[nodiscard]] const RecordedScores& scores() const noexcept { return scores_; }
  [[nodiscard]] ScoreKind kind() const noexcept { return kind_; }
  [[nodiscard]] std::span<const int> labels() const noexcept { return labels_; }
  /// 1 where the local answer is right, image by image.
  [[nodiscard]] std::span<const Outcome> outcomes() const noexcept { return outcomes_; }
  [[nodiscard]] std::int64_t right() const noexcept;
  /// Images with features to fit on, ascending. The others (fewer than two scores are numbers, or
  /// the largest is infinite) are never trusted by any decision.
  [[nodiscard]] std::span<const std::size_t> usable() const noexcept { return usable_; }
  [[nodiscard]] ScoreFeatures features(std::size_t image, double temperature) const noexcept;

 private:
  const RecordedScores& scores_;
  ScoreKind kind_;
  std::vector<int> labels_;
  std::vector<Outcome> outcomes_;
  std::vector<ScoreFeatures> features_;  ///< At the temperature 1.
  std::vector<std::size_t> usable_;
};

struct DecisionFitOptions {
  /// kLogistic, or a rule of one feature: top1, or any of them with isotonic calibration, which
  /// alone makes a probability of the others.
  Rule rule = Rule::kLogistic;
  std::vector<Feature> features{Feature::kTop1, Feature::kTop2};  ///< Of kLogistic.
  double l2 = 1;                                                  ///< Of kLogistic.
  double threshold = 0.5;  ///< Keep where the probability of a right answer reaches it.
  Calibration calibration = Calibration::kNone;
};

struct DecisionFit {
  /// Keeps where the probability reaches the threshold. With isotonic calibration its own threshold
  /// is the least confidence that does; where all or none do, the rule is kNever or kAlways.
  Decision decision;
  /// What gives the confidence; its threshold counts for nothing.
  Decision scorer;
  std::optional<LogisticFit> logistic{};
  std::optional<TemperatureFit> temperature{};
  std::optional<IsotonicFit> isotonic{};

  /// That the local answer is right; NaN where the scores are no numbers. `features` are of the
  /// decision's temperature.
  [[nodiscard]] double probability(const ScoreFeatures& features) const noexcept;
};

/// Throws bad_input where the options do not go together or with the scores (energy needs logits;
/// each message names the flag of `hedge fit`).
void require_fittable(const DecisionFitOptions& options, ScoreKind kind);

/// Fits on `images`, which are usable: the temperature, then the regression, then the isotonic map.
/// Throws bad_input as require_fittable, fit_logistic, fit_temperature.
[[nodiscard]] DecisionFit fit_decision(const LabelledScores& data,
                                       std::span<const std::size_t> images,
                                       const DecisionFitOptions& options);

}  // namespace hedge
