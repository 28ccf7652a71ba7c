// SPDX-License-Identifier: Apache-2.0
#include "hi/simulate/recorded_classifier.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "data/imagenet_files.h"
#include "data/label_file.h"
#include "hedge/error.h"

namespace hedge {
namespace {

/// N of ILSVRC2012_val_0000000N.JPEG, where `name` is such a one.
std::optional<std::size_t> imagenet_number(const std::string& name) {
  const std::string stem = std::filesystem::path(name).stem().string();
  const std::size_t underscore = stem.rfind('_');
  if (underscore == std::string::npos) return std::nullopt;
  return parse_integer<std::size_t>(std::string_view(stem).substr(underscore + 1));
}

/// From the answers for the whole set those of its images that are there.
std::vector<int> answers_by_number(const std::vector<int>& all, const Dataset& dataset) {
  std::vector<int> answers;
  answers.reserve(dataset.size());
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    const auto number = imagenet_number(dataset.name(i));
    if (!number || *number < 1 || *number > all.size()) {
      throw bad_input(fmt::format("no line for {}", dataset.name(i)));
    }
    answers.push_back(all[*number - 1]);
  }
  return answers;
}

}  // namespace

RecordedClassifier::RecordedClassifier(std::vector<int> answers, std::string name)
    : answers_(std::move(answers)), name_(std::move(name)) {}

Classification RecordedClassifier::classify(std::size_t index) {
  return {.label = answers_.at(index)};
}

std::string RecordedClassifier::description() const {
  return fmt::format("{} (recorded)", name_);
}

std::vector<int> read_server_labels(const std::filesystem::path& path, const Dataset& dataset,
                                    const std::string& dataset_name, int classes) {
  std::vector<int> answers = read_labels(path, classes);
  if (answers.size() != dataset.size() && dataset_name == "imagenet" &&
      answers.size() == kImagenetImages) {
    answers = answers_by_number(answers, dataset);
  }
  if (answers.size() != dataset.size()) {
    throw bad_input(
        fmt::format("{}: {} lines for a dataset of {} images; one class a line, in the order of "
                    "the images, is needed",
                    path.string(), answers.size(), dataset.size()));
  }
  return answers;
}

RecordedClassifier read_recorded_classifier(const std::filesystem::path& path,
                                            const Dataset& dataset, const std::string& dataset_name,
                                            int classes) {
  return {read_server_labels(path, dataset, dataset_name, classes), path.string()};
}

}  // namespace hedge
