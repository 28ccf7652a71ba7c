// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>

#include "base/log.h"
#include "base/text.h"
#include "data/file_datasets.h"
#include "data/label_file.h"
#include "hedge/error.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "ILSVRC2012_val_";
constexpr const char* kLabels = "imagenet_labels.txt";

struct NumberedFile {
  std::size_t number;  ///< From 1.
  fs::path path;
};

/// The number in "ILSVRC2012_val_00000001.bin".
std::optional<std::size_t> number_of(const fs::path& path, std::string_view extension) {
  const std::string stem = path.stem().string();
  if (!stem.starts_with(kPrefix) || to_lower(path.extension().string()) != extension) return {};
  std::size_t number = 0;
  const char* end = stem.data() + stem.size();
  const auto [stop, error] = std::from_chars(stem.data() + kPrefix.size(), end, number);
  if (error != std::errc{} || stop != end || number == 0) return {};
  return number;
}

/// In `folder` and, with `deeper`, in the folders of classes that torchvision sorts them into.
void collect(const fs::path& folder, std::string_view extension, bool deeper,
             std::vector<NumberedFile>& files) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (const auto number = number_of(entry.path(), extension)) {
      files.push_back({*number, entry.path()});
    } else if (deeper && entry.is_directory(error)) {
      collect(entry.path(), extension, false, files);
    }
  }
}

std::vector<NumberedFile> image_files(const fs::path& folder) {
  std::vector<NumberedFile> files;
  collect(folder / "bin", ".bin", false, files);
  if (files.empty()) {
    collect(folder, ".jpeg", false, files);
    collect(folder / "val", ".jpeg", true, files);
  }
  std::sort(files.begin(), files.end(), [](const NumberedFile& a, const NumberedFile& b) {
    return std::tie(a.number, a.path) < std::tie(b.number, b.path);
  });
  for (std::size_t i = 1; i < files.size(); ++i) {
    if (files[i].number != files[i - 1].number) continue;
    throw bad_input(fmt::format("{} and {}: the same image twice; remove one",
                                files[i - 1].path.string(), files[i].path.string()));
  }
  return files;
}

}  // namespace

std::unique_ptr<Dataset> open_imagenet(const fs::path& folder, const fs::path& labels) {
  const std::vector<NumberedFile> found = image_files(folder);
  if (found.empty()) return nullptr;
  const fs::path file = labels.empty() ? folder / kLabels : labels;
  std::error_code error;
  if (labels.empty() && !fs::exists(file, error)) {
    throw bad_input(
        fmt::format("{}: not there; it holds the class (0 to {}) of each image, one a line, or "
                    "state another file with --labels=FILE",
                    file.string(), kImagenetClasses - 1));
  }
  const std::vector<int> classes = read_labels(file, kImagenetClasses);
  std::vector<ImageFile> files;
  files.reserve(found.size());
  for (const NumberedFile& image : found) {
    if (image.number > classes.size()) {
      throw bad_input(fmt::format("{}: {} lines, none for {}; line N is the class of image N",
                                  file.string(), classes.size(), image.path.filename().string()));
    }
    files.push_back({image.path, classes[image.number - 1]});
  }
  if (files.size() < classes.size()) {
    log(LogLevel::kWarning,
        fmt::format("{}: {} of the {} images that {} has classes for", folder.string(),
                    files.size(), classes.size(), file.string()));
  }
  // torchvision does not turn them either, and published accuracies are measured so.
  return dataset_of_files(std::move(files), kImagenetClasses, {}, false);
}

}  // namespace hedge
