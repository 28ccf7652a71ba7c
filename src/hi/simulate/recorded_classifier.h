// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/classifier.h"
#include "hedge/dataset.h"

namespace hedge {

/// A server whose answers lie in a file, one class a line in the order of the images.
class RecordedClassifier final : public Classifier {
 public:
  /// `answers` has one class for each image.
  RecordedClassifier(std::vector<int> answers, std::string name);
  [[nodiscard]] Classification classify(std::size_t index) override;
  [[nodiscard]] std::string description() const override;

 private:
  std::vector<int> answers_;
  std::string name_;
};

/// The server's classes of the images of `dataset`, in their order, from 0 to `classes` - 1. Of
/// ImageNet also those of the whole validation set, line N for image N, where only some of its
/// images are there. Throws bad_input as read_labels does, also on another number of lines.
[[nodiscard]] std::vector<int> read_server_labels(const std::filesystem::path& path,
                                                  const Dataset& dataset,
                                                  const std::string& dataset_name, int classes);

/// read_server_labels as a server.
[[nodiscard]] RecordedClassifier read_recorded_classifier(const std::filesystem::path& path,
                                                          const Dataset& dataset,
                                                          const std::string& dataset_name,
                                                          int classes);

}  // namespace hedge
