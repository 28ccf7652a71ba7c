// SPDX-License-Identifier: Apache-2.0
#include "hi/fit/decision_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/named_values.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::array<std::pair<Calibration, std::string_view>, 3> kCalibrations{
    {{Calibration::kNone, "none"},
     {Calibration::kTemperature, "temperature"},
     {Calibration::kIsotonic, "isotonic"}}};

bool looks_at_energy(const DecisionFitOptions& options) {
  return options.rule == Rule::kEnergy ||
         (options.rule == Rule::kLogistic &&
          std::ranges::find(options.features, Feature::kEnergy) != options.features.end());
}

std::vector<Outcome> outcomes_of(const LabelledScores& data, std::span<const std::size_t> images) {
  std::vector<Outcome> outcomes;
  outcomes.reserve(images.size());
  for (const std::size_t image : images) outcomes.push_back(data.outcomes()[image]);
  return outcomes;
}

/// The regression, written into the scorer.
void fit_regression(const std::vector<ScoreFeatures>& features, std::span<const Outcome> outcomes,
                    const DecisionFitOptions& options, DecisionFit& fit) {
  std::vector<double> values;
  values.reserve(features.size() * options.features.size());
  for (const ScoreFeatures& image : features) {
    for (const Feature feature : options.features) values.push_back(value_of(feature, image));
  }
  Samples samples{.values = values, .outcomes = outcomes, .names = {}};
  for (const Feature feature : options.features) samples.names.emplace_back(name_of(feature));
  fit.logistic = fit_logistic(samples, {.l2 = options.l2});
  fit.scorer.intercept = fit.logistic->intercept;
  fit.scorer.features = options.features;
  fit.scorer.weights = fit.logistic->weights;
}

/// The decision that keeps where the isotonic map reaches the threshold.
void decide_by_map(const DecisionFitOptions& options, DecisionFit& fit) {
  const std::optional<double> least = fit.isotonic->least_score(options.threshold);
  if (!least || std::isinf(*least)) {
    fit.decision = {.rule = least ? Rule::kNever : Rule::kAlways,
                    .temperature = fit.scorer.temperature};
    return;
  }
  // least_confidence() turns the sign of entropy and energy.
  const bool falls = options.rule == Rule::kEntropy || options.rule == Rule::kEnergy;
  fit.decision = fit.scorer;
  fit.decision.threshold = falls ? -*least : *least;
}

}  // namespace

std::string_view name_of(Calibration calibration) noexcept {
  return name_in(kCalibrations, calibration);
}

Calibration calibration_named(std::string_view name) {
  return value_named(kCalibrations, name, "calibration");
}

LabelledScores::LabelledScores(const RecordedScores& scores, ScoreKind kind,
                               std::vector<int> labels)
    : scores_(scores), kind_(kind), labels_(std::move(labels)) {
  if (labels_.size() != scores.rows()) {
    throw bad_input(
        fmt::format("{} labels for the scores of {} images", labels_.size(), scores.rows()));
  }
  outcomes_.reserve(labels_.size());
  features_.reserve(labels_.size());
  for (std::size_t image = 0; image < labels_.size(); ++image) {
    const int label = labels_[image];
    if (label < 0 || static_cast<std::size_t>(label) >= scores.columns) {
      throw bad_input(fmt::format("image {}: its label {} is no class from 0 to {}", image, label,
                                  scores.columns - 1));
    }
    features_.push_back(score_features(scores.row(image), kind));
    outcomes_.push_back(features_.back().predicted == label ? 1 : 0);
    if (std::isfinite(features_.back().top1)) usable_.push_back(image);
  }
}

std::int64_t LabelledScores::right() const noexcept {
  return std::count(outcomes_.begin(), outcomes_.end(), Outcome{1});
}

ScoreFeatures LabelledScores::features(std::size_t image, double temperature) const noexcept {
  return temperature == 1 ? features_[image]
                          : score_features(scores_.row(image), kind_, temperature);
}

double DecisionFit::probability(const ScoreFeatures& features) const noexcept {
  const double confidence = scorer.confidence(features);
  return isotonic ? (*isotonic)(confidence) : confidence;
}

void require_fittable(const DecisionFitOptions& options, ScoreKind kind) {
  const auto rules = score_rules();
  if (std::ranges::find(rules, options.rule) == rules.end()) {
    throw bad_input(fmt::format("--decision={}: has nothing to fit", name_of(options.rule)));
  }
  const bool gives_probability = options.rule == Rule::kLogistic || options.rule == Rule::kTop1;
  if (!gives_probability && options.calibration != Calibration::kIsotonic) {
    throw bad_input(
        fmt::format("--decision={}: is no probability; --calibration=isotonic makes one of it",
                    name_of(options.rule)));
  }
  if (options.rule == Rule::kLogistic && options.features.empty()) {
    throw bad_input("--features: state one at least");
  }
  for (std::size_t i = 0; i < options.features.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (options.features[i] != options.features[j]) continue;
      throw bad_input(fmt::format("--features: {} is there twice", name_of(options.features[i])));
    }
  }
  if (!(options.threshold > 0 && options.threshold < 1)) {
    throw bad_input(
        fmt::format("--threshold={}: is no probability between 0 and 1", options.threshold));
  }
  if (looks_at_energy(options) && kind == ScoreKind::kSoftmax) {
    throw bad_input("energy: needs logits, and these scores are softmax's; leave it out");
  }
}

DecisionFit fit_decision(const LabelledScores& data, std::span<const std::size_t> images,
                         const DecisionFitOptions& options) {
  require_fittable(options, data.kind());
  DecisionFit fit;
  fit.scorer.rule = options.rule;
  fit.scorer.threshold = options.threshold;
  if (options.calibration == Calibration::kTemperature) {
    fit.temperature = fit_temperature(data.scores(), data.kind(), data.labels(), images);
    fit.scorer.temperature = fit.temperature->temperature;
  }
  std::vector<ScoreFeatures> features;
  features.reserve(images.size());
  for (const std::size_t image : images) {
    features.push_back(data.features(image, fit.scorer.temperature));
  }
  const std::vector<Outcome> outcomes = outcomes_of(data, images);
  if (options.rule == Rule::kLogistic) fit_regression(features, outcomes, options, fit);
  fit.decision = fit.scorer;
  if (options.calibration == Calibration::kIsotonic) {
    std::vector<double> confidences;
    confidences.reserve(features.size());
    for (const ScoreFeatures& image : features) {
      confidences.push_back(fit.scorer.confidence(image));
    }
    fit.isotonic = fit_isotonic({.probabilities = confidences, .outcomes = outcomes});
    decide_by_map(options, fit);
  }
  return fit;
}

}  // namespace hedge
