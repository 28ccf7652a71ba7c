// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "data/scores_file.h"
#include "hi/decide/score_features.h"

namespace hedge {

struct TemperatureFit {
  double temperature = 1;    ///< Above 1: the model was over-confident.
  double nll_before = 0;     ///< Mean negative log likelihood of the true class, nats, at 1.
  double nll = 0;            ///< At the temperature.
  std::size_t left_out = 0;  ///< Images whose true class has no finite score.
};

/// Temperature scaling (Guo et al., On Calibration of Modern Neural Networks, ICML 2017): the T
/// that minimises the mean of -ln softmax(logits / T)[label] over `images`, rows of `scores`. In
/// 1/T that is convex: Newton's method, kept in a shrinking bracket. Softmax scores are taken as
/// logits by their logarithm, 0 among them as the least float, 1.4e-45; NaN counts as no score.
///
/// Throws bad_input: a label that is no column, no image whose true class has a finite score; where
/// there is no minimum from 0.01 to 100 (every answer right, all scores alike, or worse than
/// guessing).
[[nodiscard]] TemperatureFit fit_temperature(const RecordedScores& scores, ScoreKind kind,
                                             std::span<const int> labels,
                                             std::span<const std::size_t> images);

}  // namespace hedge
