// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace hedge {

/// What a classifier says of one image.
struct Classification {
  int label = -1;                   ///< Class; -1: none, which is never right.
  std::span<const float> scores{};  ///< One a class; none where only the class is known.
  // Parts of the time that the answer took, as far as this classifier has them.
  std::optional<std::int64_t> preprocess_ns{};
  std::optional<std::int64_t> infer_ns{};
};

/// Answers for the images of one dataset: a model that runs here, a server, answers that were
/// recorded. Used by one thread at a time.
class Classifier {
 public:
  virtual ~Classifier() = default;
  /// The answer for image `index` of the dataset. The scores are valid until the next call. Throws
  /// as the dataset and the transport do.
  [[nodiscard]] virtual Classification classify(std::size_t index) = 0;
  /// For people: "cifar_predictions.txt (recorded)".
  [[nodiscard]] virtual std::string description() const = 0;
};

}  // namespace hedge
