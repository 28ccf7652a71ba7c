// SPDX-License-Identifier: Apache-2.0
#include "hedge/dataset.h"

#include <fmt/format.h>

#include <cstdlib>
#include <vector>

#include "base/text.h"
#include "data/cifar_dataset.h"
#include "data/dataset_names.h"
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
  return {{"shapes_test.bin"}, "make it: hedge make-data shapes DIR"};
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
    const std::string near = nearest(to_lower(name), names);
    throw bad_input(fmt::format("no dataset '{}'{}; there are {}", name,
                                near.empty() ? "" : fmt::format(" (did you mean {}?)", near),
                                join_words(names)));
  }
  if (dataset == "imagenet") {
    throw bad_input(
        "the name imagenet is known, but its images cannot be read yet; cifar and shapes can");
  }
  return dataset;
}

}  // namespace

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
  throw bad_input(fmt::format(
      "dataset {} not found: looked for {}; say where it is with --data=DIR or $HEDGE_DATA, or {}",
      dataset, join_words(tried), source.how_to_get));
}

std::unique_ptr<Dataset> Dataset::open(const std::string& name, const fs::path& data) {
  return open_cifar(find_dataset_file(name, data));
}

}  // namespace hedge
