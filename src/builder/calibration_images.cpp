// SPDX-License-Identifier: Apache-2.0
#include "builder/calibration_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "data/cifar_dataset.h"
#include "data/dataset_names.h"
#include "data/file_datasets.h"
#include "data/fit.h"
#include "hedge/error.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

/// Datasets one after the other.
class JoinedDataset final : public Dataset {
 public:
  explicit JoinedDataset(std::vector<std::unique_ptr<Dataset>> parts) : parts_(std::move(parts)) {}

  [[nodiscard]] std::size_t size() const override {
    std::size_t total = 0;
    for (const auto& part : parts_) total += part->size();
    return total;
  }
  [[nodiscard]] int classes() const override { return parts_.front()->classes(); }
  [[nodiscard]] Image image(std::size_t index) const override {
    const Dataset& part = find(index);
    return part.image(index);
  }
  [[nodiscard]] int label(std::size_t index) const override {
    const Dataset& part = find(index);
    return part.label(index);
  }

 private:
  /// `index` becomes that within the part.
  [[nodiscard]] const Dataset& find(std::size_t& index) const {
    auto part = parts_.begin();
    while (index >= (*part)->size()) index -= (*part++)->size();
    return **part;
  }
  std::vector<std::unique_ptr<Dataset>> parts_;
};

CalibrationImages of_records(const std::vector<fs::path>& files) {
  std::vector<std::unique_ptr<Dataset>> parts;
  std::vector<std::string> names;
  for (const fs::path& file : files) {
    parts.push_back(open_cifar(file));
    names.push_back(file.string());
  }
  return {.dataset = std::make_unique<JoinedDataset>(std::move(parts)),
          .source = join_words(names)};
}

bool holds_records(std::string_view dataset) {
  return dataset == "cifar" || dataset == "shapes";
}

/// The file of test images that `inference` would open; empty where there is none.
fs::path test_file(const std::string& dataset, const fs::path& data) {
  try {
    return holds_records(dataset) ? find_dataset_file(dataset, data) : fs::path();
  } catch (const Error&) {
    return {};
  }
}

/// A sub-folder a class, else whatever pictures there are: ranges need no classes.
CalibrationImages of_pictures(const fs::path& folder) {
  CalibrationImages images{.dataset = nullptr, .source = folder.string()};
  try {
    images.dataset = open_folder(folder, {});
  } catch (const Error&) {
    images.dataset = open_unlabelled(folder);
    images.labelled = false;
  }
  return images;
}

CalibrationImages of_folder(const std::string& dataset, const fs::path& folder) {
  // A folder may hold several sets.
  const bool shapes = dataset == "shapes";
  for (const char* name : {shapes ? "shapes" : "cifar", shapes ? "cifar" : "shapes"}) {
    if (auto files = find_training_files(name, folder); !files.empty()) return of_records(files);
  }
  if (holds_records(dataset) || dataset == "imagenet") {
    try {
      return {.dataset = Dataset::open(dataset, folder),
              .source = folder.string(),
              .test_images = true};
    } catch (const Error&) {  // Pictures, perhaps.
    }
  }
  return of_pictures(folder);
}

CalibrationImages of_input(const std::string& dataset, const fs::path& data,
                           const std::string& input) {
  if (is_own_dataset(input)) {
    CalibrationImages images =
        input.starts_with(kFolderPrefix)
            ? of_pictures(input.substr(kFolderPrefix.size()))
            : CalibrationImages{.dataset = Dataset::open(input, {}), .source = input};
    images.test_images = absolute_dataset(input) == absolute_dataset(dataset);
    return images;
  }
  std::error_code error;
  if (fs::is_directory(input, error)) return of_folder(dataset, input);
  CalibrationImages images = of_records({input});
  images.test_images = fs::path(input).filename() == "test_batch.bin" ||
                       fs::equivalent(input, test_file(dataset, data), error);
  return images;
}

CalibrationImages of_dataset(const std::string& dataset, const fs::path& data) {
  if (holds_records(dataset)) {
    if (auto files = find_training_files(dataset, data); !files.empty()) return of_records(files);
  }
  return {.dataset = Dataset::open(dataset, data),
          .source = fmt::format("the test images of {}", dataset),
          .test_images = true};
}

}  // namespace

CalibrationImages open_calibration_images(const std::string& dataset, const fs::path& data,
                                          const std::string& input,
                                          const PreprocessingRecipe& recipe) {
  if (input.empty() && dataset.empty()) {
    throw bad_input(
        "calibration needs images: the file's name tells no dataset; state --dataset=NAME, or "
        "images "
        "(`build_engine --int8 --calib_input=FILE`)");
  }
  CalibrationImages images;
  try {
    images = input.empty() ? of_dataset(dataset, data) : of_input(dataset, data, input);
  } catch (const Error& error) {
    throw bad_input(fmt::format("{}: {}",
                                input.empty()
                                    ? "no images to calibrate on; name some (`build_engine --int8 "
                                      "--calib_input=FILE`) or ranges (`--calib_cache`)"
                                    : "--calib_input=" + input,
                                error.what()));
  }
  images.dataset = fit_dataset(std::move(images.dataset), recipe);
  return images;
}

void require_different_images(const CalibrationImages& images, std::int64_t count) {
  const auto total = std::min(static_cast<std::size_t>(count), images.dataset->size());
  const Image first = images.dataset->image(0);
  for (std::size_t i = 1; i < total; ++i) {
    if (!std::ranges::equal(images.dataset->image(i).pixels, first.pixels)) return;
  }
  if (total > 1) {
    throw bad_input(fmt::format(
        "the {} calibration images are all alike ({}); ranges had from one image say nothing of "
        "others: name a set of images (`build_engine --int8 --calib_input`)",
        total, images.source));
  }
}

std::unique_ptr<Dataset> open_test_images(const EngineInfo& info, const fs::path& data) {
  if (info.dataset.empty()) {
    throw bad_input("no test images: the file's name tells no dataset; name one with --dataset");
  }
  return fit_dataset(Dataset::open(info.dataset, data), *info.preprocessing);
}

}  // namespace hedge
