// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "result/result.h"

namespace hedge {

/// Top-5 is told from this many classes on; with few classes it says little.
inline constexpr int kTop5Classes = 1000;

/// Counts right answers, one image at a time.
class Accuracy {
 public:
  struct Options {
    bool keep_predictions = false;
    std::size_t expected_images = 0;  ///< Room for predictions, allocated at once.
  };

  /// `classes` is the number of scores of an image; at least 1, else bad_input.
  explicit Accuracy(int classes) : Accuracy(classes, Options{}) {}
  Accuracy(int classes, const Options& options);

  /// Counts one image and returns the predicted class: the largest score, the lowest class on a
  /// tie. NaN never wins; where every score is NaN the class is -1 (kNoClass) and the answer is
  /// wrong. `scores` are of one image: a batch is added slice by slice. Throws bad_input when their
  /// number is not `classes`. No allocation, as long as the predictions kept stay within
  /// expected_images.
  int add(int label, std::span<const float> scores);

  [[nodiscard]] std::int64_t total() const noexcept { return total_; }
  [[nodiscard]] std::int64_t correct() const noexcept { return correct_; }
  /// Images whose scores are all NaN.
  [[nodiscard]] std::int64_t without_class() const noexcept { return without_class_; }
  /// Images whose label is among the five largest scores (ties go to the lower class). Nothing
  /// below kTop5Classes classes.
  [[nodiscard]] std::optional<std::int64_t> correct_top5() const noexcept;
  /// Class of each image in the order of add(); empty unless they are kept.
  [[nodiscard]] std::span<const int> predictions() const noexcept { return predictions_; }

  /// Fractions of 1 with Wilson's interval. Without images only the two counts are there.
  [[nodiscard]] AccuracyResult result() const;

 private:
  int classes_;
  bool keep_predictions_;
  std::int64_t total_ = 0;
  std::int64_t correct_ = 0;
  std::int64_t correct_top5_ = 0;
  std::int64_t without_class_ = 0;
  std::vector<int> predictions_;
};

/// Whether fewer than `k` classes stand before `label`: those with a larger score, and those with
/// the same one and a lower index. NaN stands behind everything; a label that is NaN or no class is
/// not among them.
[[nodiscard]] bool among_top(std::span<const float> scores, int label, int k) noexcept;

}  // namespace hedge
