// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <span>
#include <vector>

#include "hi/decide/score_features.h"

namespace hedge::test {

/// The features by sorting and by the formulas as they stand in books, in long double. For scores
/// of which at least two are numbers, the largest finite.
inline ScoreFeatures reference_features(std::span<const float> scores, ScoreKind kind,
                                        double temperature = 1) {
  std::vector<long double> numbers;
  for (const float score : scores) {
    if (!std::isnan(score)) numbers.push_back(static_cast<long double>(score));
  }
  std::vector<long double> p;
  const long double largest = *std::max_element(numbers.begin(), numbers.end());
  if (kind == ScoreKind::kSoftmax && temperature == 1) {
    p = numbers;
  } else {
    long double sum = 0;
    for (const long double score : numbers) {
      const bool logits = kind == ScoreKind::kLogits;
      p.push_back(logits
                      ? std::exp((score - largest) / temperature)
                      : std::pow(std::max(score, 0.0L), 1 / static_cast<long double>(temperature)));
      sum += p.back();
    }
    for (long double& value : p) value /= sum;
  }
  ScoreFeatures features;
  if (kind == ScoreKind::kLogits) {
    long double sum = 0;
    for (const long double score : numbers) sum += std::exp((score - largest) / temperature);
    features.energy = static_cast<double>(-largest - temperature * std::log(sum));
  }
  long double entropy = 0;
  for (const long double value : p) entropy -= value > 0 ? value * std::log(value) : 0;
  features.entropy = static_cast<double>(entropy);
  std::sort(p.begin(), p.end(), std::greater<>());
  features.top1 = static_cast<double>(p[0]);
  features.top2 = static_cast<double>(p[1]);
  features.predicted = static_cast<int>(
      std::find(scores.begin(), scores.end(), static_cast<float>(largest)) - scores.begin());
  return features;
}

/// Logits as nets give them: `spread` of them, one of them often ahead.
inline std::vector<float> random_logits(std::mt19937_64& random, std::size_t classes,
                                        float spread) {
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> logits(classes);
  for (float& logit : logits) logit = normal(random);
  logits[random() % classes] += std::abs(normal(random));
  return logits;
}

inline std::vector<float> softmax_of(std::span<const float> logits) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  std::vector<float> p;
  double sum = 0;
  for (const float logit : logits) {
    sum += std::exp(static_cast<double>(logit) - static_cast<double>(largest));
  }
  for (const float logit : logits) {
    p.push_back(static_cast<float>(
        std::exp(static_cast<double>(logit) - static_cast<double>(largest)) / sum));
  }
  return p;
}

}  // namespace hedge::test
