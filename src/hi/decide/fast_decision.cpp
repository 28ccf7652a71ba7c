// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/fast_decision.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace hedge {
namespace {

bool weighs(const Decision& decision, Feature feature) {
  return std::find(decision.features.begin(), decision.features.end(), feature) !=
         decision.features.end();
}

/// The rules with a threshold on one feature, as a regression would weigh it.
std::pair<Feature, double> single_feature(Rule rule) {
  switch (rule) {
    case Rule::kMargin:
      return {Feature::kMargin, 1};
    case Rule::kEntropy:
      return {Feature::kEntropy, -1};
    case Rule::kEnergy:
      return {Feature::kEnergy, -1};
    default:
      return {Feature::kTop1, 1};
  }
}

}  // namespace

FastDecision::FastDecision(Decision decision, ScoreKind kind)
    : kind_(kind), logistic_(decision.rule == Rule::kLogistic), decision_(std::move(decision)) {
  require_decidable(decision_, kind);
  if (decision_.rule == Rule::kRandom) {
    plan_ = Plan::kRandom;
  } else if (decision_.rule == Rule::kAlways || decision_.rule == Rule::kNever ||
             (logistic_ && decision_.features.empty())) {
    plan_ = Plan::kConstant;
    constant_ = decision_.keep({});
  } else if (!logistic_ || decision_.features.size() <= kMost) {
    prepare_linear();
    const bool as_they_are =
        kind == ScoreKind::kSoftmax && decision_.temperature == 1 && !weighs_entropy_;
    if (as_they_are) plan_ = Plan::kTopTwo;
    // Temperatures beyond do not fit floats well.
    const bool mild = decision_.temperature >= 1e-3 && decision_.temperature <= 1e3;
    if (kind == ScoreKind::kLogits && mild) plan_ = Plan::kSoftmax;
  }
}

void FastDecision::prepare_linear() {
  std::vector<std::pair<Feature, double>> terms;
  if (logistic_) {
    intercept_ = decision_.intercept;
    for (std::size_t i = 0; i < decision_.features.size(); ++i) {
      terms.emplace_back(decision_.features[i], decision_.weights[i]);
    }
  } else {
    terms.push_back(single_feature(decision_.rule));
  }
  weighs_entropy_ = decision_.rule == Rule::kEntropy || weighs(decision_, Feature::kEntropy);
  weighs_energy_ = decision_.rule == Rule::kEnergy || weighs(decision_, Feature::kEnergy);
  for (const auto& [feature, weight] : terms) {
    features_[count_] = static_cast<std::uint8_t>(feature);
    weights_[count_++] = weight;
    const double size = std::abs(weight);
    if (feature == Feature::kEntropy) {
      entropy_sensitivity_ += size;
    } else {
      // The margin has the error of both; the energy that of ln(sum), times the temperature.
      sensitivity_ += size * (feature == Feature::kMargin   ? 2
                              : feature == Feature::kEnergy ? decision_.temperature
                                                            : 1);
    }
  }
  cut_ = decision_.least_confidence();
  if (!logistic_) return;
  // sigmoid() rounds to within an ulp of p; in the exponent that is 1e-16 / (p (1 - p)) or less.
  constexpr double kSteep = 1e-4;
  const double p = decision_.threshold;
  const bool steep = p > kSteep && p < 1 - kSteep;
  cut_ = steep ? std::log(p / (1 - p)) : 0;
  doubt_ = steep ? 1e-9 : std::numeric_limits<double>::infinity();
}

bool FastDecision::reaches_exactly(double x) const noexcept {
  return logistic_ ? sigmoid(x) >= decision_.threshold : x >= cut_;
}

bool FastDecision::keep_otherwise(std::span<const float> scores,
                                  std::uint64_t image) const noexcept {
  switch (plan_) {
    case Plan::kConstant:
      return constant_;
    case Plan::kRandom:
      return decision_.keep({}, image);
    case Plan::kSoftmax:
      return keep_by_softmax(scores);
    default:
      return decision_.keep(score_features(scores, kind_, decision_.temperature));
  }
}

bool FastDecision::keep_by_softmax(std::span<const float> scores) const noexcept {
  const TopTwo top = wide_top_two(scores);
  if (is_unfit(top)) return false;
  const auto temperature = static_cast<float>(decision_.temperature);
  const SoftmaxSums sums = softmax_sums(scores, top.first, temperature, weighs_entropy_);
  Values values{};
  values[static_cast<std::size_t>(Feature::kTop1)] = 1 / sums.sum;
  const double second =
      static_cast<double>(float_exp((top.second - top.first) / temperature)) / sums.sum;
  values[static_cast<std::size_t>(Feature::kTop2)] = second;
  values[static_cast<std::size_t>(Feature::kMargin)] = 1 / sums.sum - second;
  const double weighted = -sums.weighted / sums.sum;
  if (weighs_entropy_) {
    values[static_cast<std::size_t>(Feature::kEntropy)] = std::log(sums.sum) + weighted;
  }
  if (weighs_energy_) {
    values[static_cast<std::size_t>(Feature::kEnergy)] =
        -(static_cast<double>(top.first) + decision_.temperature * std::log(sums.sum));
  }
  const double x = linear(values);
  const double error =
      softmax_error(scores.size()) * (sensitivity_ + entropy_sensitivity_ * (2 + weighted));
  // The comparison is false where anything is no number.
  if (std::abs(x - cut_) > doubt_ + error) return x > cut_;
  return decision_.keep(score_features(scores, kind_, decision_.temperature));
}

}  // namespace hedge
