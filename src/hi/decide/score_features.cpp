// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/score_features.h"

#include <cmath>
#include <cstddef>

#include "data/scores_file.h"
#include "stats/top_two.h"

namespace hedge {
namespace {

/// Entropy of probabilities; those that are 0 add nothing, by its limit.
double entropy_of(std::span<const float> probabilities) noexcept {
  double entropy = 0;
  for (const float p : probabilities) {
    if (p > 0) entropy -= static_cast<double>(p) * std::log(static_cast<double>(p));
  }
  return entropy;
}

/// Softmax of `logit(score) / temperature`, without storing it: shifted by the largest, so that
/// nothing overflows.
template <class Logit>
void fill_from_logits(std::span<const float> scores, const TopTwo& top, double temperature,
                      Logit&& logit, ScoreFeatures& features) noexcept {
  const double largest = logit(top.first);
  double sum = 0;
  double weighted = 0;  // By e^shifted, for the entropy.
  for (const float score : scores) {
    if (std::isnan(score)) continue;
    const double shifted = (logit(score) - largest) / temperature;
    const double exponential = std::exp(shifted);
    sum += exponential;
    if (exponential > 0) weighted += exponential * shifted;  // e^-inf * -inf adds nothing.
  }
  features.top1 = 1 / sum;
  features.top2 = std::exp((logit(top.second) - largest) / temperature) / sum;
  features.entropy = std::log(sum) - weighted / sum;
}

}  // namespace

ScoreFeatures score_features(std::span<const float> scores, ScoreKind kind,
                             double temperature) noexcept {
  ScoreFeatures features;
  features.predicted = arg_max(scores);
  const TopTwo top = top_two(scores);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (top.second == -kInfinity || top.first == kInfinity) return features;
  if (kind == ScoreKind::kLogits) {
    fill_from_logits(
        scores, top, temperature, [](float score) { return static_cast<double>(score); }, features);
    features.energy = -(static_cast<double>(top.first) - temperature * std::log(features.top1));
  } else if (temperature == 1) {
    features.top1 = static_cast<double>(top.first);
    features.top2 = static_cast<double>(top.second);
    features.entropy = entropy_of(scores);
  } else if (top.first > 0) {
    fill_from_logits(
        scores, top, temperature,
        [](float score) {
          return score > 0 ? std::log(static_cast<double>(score))
                           : -std::numeric_limits<double>::infinity();
        },
        features);
  }
  return features;
}

ScoreKind score_kind_of(const RecordedScores& scores) noexcept {
  constexpr double kTolerance = 1e-3;  // Half precision and rounded text keep to it.
  bool any = false;
  for (std::size_t i = 0; i < scores.rows(); ++i) {
    double sum = 0;
    for (const float score : scores.row(i)) {
      if (score < 0) return ScoreKind::kLogits;
      sum += static_cast<double>(score);
    }
    if (std::isnan(sum)) continue;
    if (std::abs(sum - 1) > kTolerance) return ScoreKind::kLogits;
    any = true;
  }
  return any ? ScoreKind::kSoftmax : ScoreKind::kLogits;
}

}  // namespace hedge
