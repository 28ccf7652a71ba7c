// SPDX-License-Identifier: Apache-2.0
#include "hi/fit/cross_fit.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/naming.h"
#include "hedge/error.h"
#include "hi/fit/folds.h"

namespace hedge {
namespace {

Verdicts no_verdicts(std::size_t images) {
  return {.probabilities = std::vector(images, std::numeric_limits<double>::quiet_NaN()),
          .kept = std::vector<bool>(images, false)};
}

void judge(const LabelledScores& data, const DecisionFit& fit, std::span<const std::size_t> images,
           Verdicts& verdicts) {
  for (const std::size_t image : images) {
    const ScoreFeatures features = data.features(image, fit.scorer.temperature);
    verdicts.probabilities[image] = fit.probability(features);
    verdicts.kept[image] = fit.decision.keep(features, image);
  }
}

}  // namespace

Verdicts judge_all(const LabelledScores& data, const DecisionFit& fit) {
  Verdicts verdicts = no_verdicts(data.size());
  judge(data, fit, data.usable(), verdicts);
  return verdicts;
}

Verdicts cross_fit(const LabelledScores& data, const DecisionFitOptions& options,
                   const CrossValidation& validation) {
  const auto usable = data.usable();
  std::vector<Outcome> outcomes;
  outcomes.reserve(usable.size());
  for (const std::size_t image : usable) outcomes.push_back(data.outcomes()[image]);
  const std::vector<int> fold_of = stratified_folds(outcomes, validation.folds, validation.seed);
  Verdicts verdicts = no_verdicts(data.size());
  for (int fold = 0; fold < validation.folds; ++fold) {
    std::vector<std::size_t> others;
    std::vector<std::size_t> own;
    for (std::size_t i = 0; i < usable.size(); ++i) {
      (fold_of[i] == fold ? own : others).push_back(usable[i]);
    }
    const DecisionFit fit = naming(fmt::format("without fold {} of {}", fold + 1, validation.folds),
                                   [&] { return fit_decision(data, others, options); });
    judge(data, fit, own, verdicts);
  }
  return verdicts;
}

DecisionQuality quality_of(const LabelledScores& data, const Verdicts& verdicts,
                           std::span<const int> server, std::size_t bins) {
  if (!server.empty() && server.size() != data.size()) {
    throw bad_input(
        fmt::format("{} classes of the server for {} images", server.size(), data.size()));
  }
  DecisionQuality quality;
  std::vector<double> probabilities;
  std::vector<Outcome> outcomes;
  if (!server.empty()) {
    quality.hi_right = 0;
    quality.server_right = 0;
  }
  for (std::size_t image = 0; image < data.size(); ++image) {
    const bool right = data.outcomes()[image] != 0;
    const bool kept = verdicts.kept[image];
    ++(kept ? (right ? quality.kept_right : quality.kept_wrong)
            : (right ? quality.offloaded_right : quality.offloaded_wrong));
    if (!server.empty()) {
      const bool server_right = server[image] == data.labels()[image];
      *quality.server_right += server_right ? 1 : 0;
      *quality.hi_right += (kept ? right : server_right) ? 1 : 0;
    }
    if (std::isnan(verdicts.probabilities[image])) continue;
    probabilities.push_back(verdicts.probabilities[image]);
    outcomes.push_back(right ? 1 : 0);
  }
  const Forecasts forecasts{.probabilities = probabilities, .outcomes = outcomes};
  quality.auc = roc_auc(forecasts);
  quality.brier = brier_score(forecasts);
  quality.log_loss = log_loss(forecasts);
  quality.bins = reliability_bins(forecasts, bins, Binning::kEqualWidth);
  quality.ece = expected_calibration_error(quality.bins);
  quality.ece_quantiles =
      expected_calibration_error(reliability_bins(forecasts, bins, Binning::kQuantiles));
  return quality;
}

}  // namespace hedge
