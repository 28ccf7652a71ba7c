// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <limits>
#include <random>
#include <vector>

#include "hi/decide/score_features.h"
#include "hi/sweep/sweep.h"

namespace hedge::test {

/// What a sweep is made of, image by image.
struct RecordedCase {
  std::vector<ScoreFeatures> scores;
  std::vector<int> labels;
  std::vector<int> server_labels;
  [[nodiscard]] Outcomes outcomes() const { return judge_outcomes(scores, labels, server_labels); }
};

/// Logits with ties (few distinct values), a NaN row now and then; the server is right more often
/// than the local model.
inline RecordedCase random_case(std::size_t images, std::size_t classes, unsigned seed) {
  std::mt19937 random(seed);
  RecordedCase made;
  std::vector<float> logits(classes);
  for (std::size_t i = 0; i < images; ++i) {
    const auto label = static_cast<int>(random() % classes);
    for (float& logit : logits) logit = static_cast<float>(random() % 16) / 4;
    logits[static_cast<std::size_t>(label)] += static_cast<float>(random() % 12) / 4;
    if (random() % 23 == 0) logits.assign(classes, std::numeric_limits<float>::quiet_NaN());
    made.scores.push_back(score_features(logits, ScoreKind::kLogits));
    made.labels.push_back(label);
    made.server_labels.push_back(random() % 10 < 9 ? label : static_cast<int>(random() % classes));
  }
  return made;
}

}  // namespace hedge::test
