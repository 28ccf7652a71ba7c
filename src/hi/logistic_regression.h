// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <limits>
#include <span>

#include "hi/score_kernels.h"

namespace hedge {

/// The probability that the local model is right, from its two largest softmax scores:
/// p = sigmoid(beta + w1 * top1 + w2 * top2). The answer is kept where p is at least 1/2.
struct LogisticRegression {
  // Of the original, for resnet8 on CIFAR-10 at full precision.
  double beta = -4.531622904031753;
  double w1 = 5.82555453;
  double w2 = -3.59687685;

  /// The exponent; NaN where fewer than two scores are numbers.
  [[nodiscard]] double logit(std::span<const float> scores) const noexcept {
    const TopTwo top = fast_top_two(scores);
    if (top.second == -std::numeric_limits<float>::infinity()) {
      return std::numeric_limits<double>::quiet_NaN();
    }
    return beta + w1 * static_cast<double>(top.first) + w2 * static_cast<double>(top.second);
  }

  /// p, 0 to 1; NaN where fewer than two scores are numbers.
  [[nodiscard]] double score(std::span<const float> scores) const noexcept {
    return 1.0 / (1.0 + std::exp(-logit(scores)));
  }

  /// Keep the local answer (true) or offload. No exponential: p >= 1/2 where the exponent is >= 0.
  /// Scores that are no numbers are never trusted.
  [[nodiscard]] bool keep(std::span<const float> scores) const noexcept {
    return logit(scores) >= 0;
  }
};

}  // namespace hedge
