// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "data/file_datasets.h"
#include "data/imagenet_files.h"
#include "data/label_file.h"
#include "hedge/error.h"

namespace hedge {

namespace fs = std::filesystem;

std::unique_ptr<Dataset> open_imagenet(const fs::path& folder, const fs::path& labels) {
  const ImagenetFiles images = find_imagenet_files(folder);
  const std::vector<ImagenetFile>& found = images.files;
  if (found.empty()) return nullptr;
  for (std::size_t i = 1; i < found.size(); ++i) {
    if (found[i].number != found[i - 1].number) continue;
    throw bad_input(fmt::format("{} and {}: the same image twice; remove one",
                                found[i - 1].path.string(), found[i].path.string()));
  }
  if (images.passed_over > 0) log(LogLevel::kWarning, passed_over_text(images));
  const fs::path file = labels.empty() ? folder / kImagenetLabels : labels;
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
  for (const ImagenetFile& image : found) {
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
