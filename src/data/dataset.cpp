// SPDX-License-Identifier: Apache-2.0
#include "hedge/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/named_values.h"
#include "base/text.h"
#include "data/cifar_dataset.h"
#include "data/dataset_names.h"
#include "data/file_datasets.h"
#include "data/shapes.h"
#include "hedge/error.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

struct Source {
  std::vector<std::string> files;  ///< Below a data folder; the first that exists is taken.
  std::string how_to_get;
};

Source source_of(const std::string& dataset) {
  if (dataset == "cifar") {
    return {{"test_batch.bin", "cifar-10-batches-bin/test_batch.bin"},
            "download it: hedge fetch-data cifar10 --data=DIR"};
  }
  if (dataset == "imagenet") {
    return {{"bin/ILSVRC2012_val_00000001.bin", "ILSVRC2012_val_00000001.JPEG",
             "val/ILSVRC2012_val_00000001.JPEG"},
            "see what to obtain: hedge fetch-data imagenet --data=DIR"};
  }
  return {{"shapes_test.bin"}, "make it: hedge make-data shapes DIR"};
}

std::span<const std::string> class_names_of(const std::string& dataset) {
  static const std::vector<std::string> cifar{"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};
  static const std::vector<std::string> shapes(kShapesClassNames.begin(), kShapesClassNames.end());
  return dataset == "cifar" ? cifar : shapes;
}

/// What was stated is not searched around: a wrong $HEDGE_DATA is an error, never a silent use of
/// other images.
std::vector<fs::path> data_folders(const fs::path& data) {
  if (!data.empty()) return {data};
  if (const char* folder = std::getenv("HEDGE_DATA"); folder != nullptr && *folder != '\0') {
    return {folder};
  }
  return {"data", "../data"};
}

std::string known_dataset(const std::string& name) {
  std::string dataset = canonical_dataset(name);
  if (dataset.empty()) {
    const auto known = known_datasets();
    const std::vector<std::string> names(known.begin(), known.end());
    throw bad_input(
        fmt::format("no dataset '{}'{}; there are {}, and your own as folder:DIR or "
                    "npy:X.npy,Y.npy",
                    name, did_you_mean(to_lower(name), names), join_words(names)));
  }
  return dataset;
}

[[noreturn]] void not_found(const std::string& dataset, const std::vector<std::string>& tried) {
  throw bad_input(fmt::format(
      "dataset {} not found: looked for {}; say where it is with --data=DIR or $HEDGE_DATA, or {}",
      dataset, join_words(tried), source_of(dataset).how_to_get));
}

std::unique_ptr<Dataset> find_imagenet(const fs::path& data, const fs::path& labels) {
  std::vector<std::string> tried;
  for (const fs::path& folder : data_folders(data)) {
    if (auto dataset = open_imagenet(folder, labels)) return dataset;
    for (const std::string& file : source_of("imagenet").files) {
      tried.push_back((folder / file).string());
    }
  }
  not_found("imagenet", tried);
}

/// "X.npy,Y.npy"; the labels may be stated beside it instead.
std::unique_ptr<Dataset> open_arrays(const std::string& files, const fs::path& labels) {
  const std::size_t comma = files.find(',');
  if (comma != std::string::npos && !labels.empty()) {
    throw bad_input(
        fmt::format("--dataset=npy:{} and --labels={} both state the labels; leave one of them out",
                    files, labels.string()));
  }
  if (files.empty() || (comma == std::string::npos) == labels.empty()) {
    throw bad_input(fmt::format(
        "--dataset=npy:{}: give the arrays of images and labels, as npy:X.npy,Y.npy, or, to run "
        "a model, npy:X.npy with `--labels=FILE`",
        files));
  }
  if (comma == std::string::npos) return open_npy(files, labels);
  return open_npy(files.substr(0, comma), files.substr(comma + 1));
}

}  // namespace

std::string Dataset::name(std::size_t index) const {
  return fmt::format("image {}", index);
}

fs::path find_dataset_file(const std::string& name, const fs::path& data) {
  const std::string dataset = known_dataset(name);
  const Source source = source_of(dataset);
  std::error_code error;
  std::vector<std::string> tried;
  for (const fs::path& folder : data_folders(data)) {
    // A file that was named itself needs no search.
    if (fs::is_regular_file(folder, error)) return folder;
    if (!fs::exists(folder, error)) {
      tried.push_back(
          fmt::format("{} in {} (no such folder)", source.files.front(), folder.string()));
      continue;
    }
    for (const std::string& file : source.files) {
      fs::path path = folder / file;
      if (fs::exists(path, error)) return path;
      tried.push_back(path.string());
    }
  }
  not_found(dataset, tried);
}

fs::path find_data_file(const std::string& file, const fs::path& data) {
  std::error_code error;
  std::vector<std::string> tried;
  for (const fs::path& folder : data_folders(data)) {
    fs::path path = (fs::is_regular_file(folder, error) ? folder.parent_path() : folder) / file;
    if (fs::exists(path, error)) return path;
    tried.push_back(path.string());
  }
  throw bad_input(fmt::format("{} not found: looked for {}", file, join_words(tried)));
}

std::vector<fs::path> find_training_files(const std::string& name, const fs::path& data) {
  const std::string dataset = known_dataset(name);
  const std::string prefix = dataset == "cifar" ? "data_batch_" : dataset + "_train";
  for (const fs::path& folder : data_folders(data)) {
    for (const fs::path& place : {folder, folder / "cifar-10-batches-bin"}) {
      std::vector<fs::path> files;
      std::error_code error;
      for (const auto& entry : fs::directory_iterator(place, error)) {
        const std::string file = entry.path().filename().string();
        if (file.starts_with(prefix) && file.ends_with(".bin")) files.push_back(entry.path());
      }
      std::sort(files.begin(), files.end());
      if (!files.empty()) return files;
    }
  }
  return {};
}

std::unique_ptr<Dataset> Dataset::open(const std::string& name, const fs::path& data,
                                       const fs::path& labels) {
  if (name.starts_with(kFolderPrefix))
    return open_folder(name.substr(kFolderPrefix.size()), labels);
  if (name.starts_with(kNpyPrefix)) return open_arrays(name.substr(kNpyPrefix.size()), labels);
  const std::string dataset = known_dataset(name);
  if (dataset == "imagenet") return find_imagenet(data, labels);
  if (!labels.empty()) {
    throw bad_input(fmt::format("--labels={}: the images of {} have labels of their own",
                                labels.string(), dataset));
  }
  return open_cifar(find_dataset_file(name, data), class_names_of(dataset));
}

}  // namespace hedge
