// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "builder/observe.h"
#include "hedge/engine.h"

namespace hedge {

/// What an engine answers to images, in their order.
struct ImageScores {
  std::vector<float> scores;  ///< images x classes
  std::size_t classes = 0;
  std::vector<int> answers;  ///< The class of each, as Accuracy counts it.
};

/// Throws as for_each_batch does.
[[nodiscard]] ImageScores score_images(const Engine& engine, const ImageJob& run);

/// Of the first `images`.
[[nodiscard]] std::vector<int> labels_of(const Dataset& dataset, std::int64_t images);

/// Signal and noise of a comparison, summed up.
struct SignalNoise {
  double signal = 0;  ///< Sum of the squares of the exact values.
  double noise = 0;   ///< Sum of the squares of the differences.
  void add(double exact, double rounded) {
    signal += exact * exact;
    noise += (exact - rounded) * (exact - rounded);
  }
  void add(std::span<const float> exact, std::span<const float> rounded);
  /// 10 log10(signal / noise); nothing where either is zero.
  [[nodiscard]] std::optional<double> decibels() const;
};

}  // namespace hedge
