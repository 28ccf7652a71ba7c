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
            "get it: https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"};
  }
  return {{"shapes_test.bin"}, "make it: hedge make-data shapes"};
}

std::vector<fs::path> data_folders(const fs::path& data) {
  if (!data.empty()) return {data};
  if (const char* folder = std::getenv("HEDGE_DATA"); folder != nullptr && *folder != '\0') {
    return {folder};
  }
  return {"data", "../data"};
}

}  // namespace

std::unique_ptr<Dataset> Dataset::open(const std::string& name, const fs::path& data) {
  const std::string dataset = canonical_dataset(name);
  if (dataset.empty()) {
    const auto known = known_datasets();
    throw bad_input(fmt::format("no dataset '{}'; there are {}", name,
                                join_words(std::vector<std::string>(known.begin(), known.end()))));
  }
  if (dataset == "imagenet") throw bad_input("the ImageNet reader is not there yet; cifar and shapes are");
  std::error_code error;
  // A file that was named itself needs no search.
  if (!data.empty() && fs::is_regular_file(data, error)) return open_cifar(data);
  const Source source = source_of(dataset);
  std::vector<std::string> tried;
  for (const fs::path& folder : data_folders(data)) {
    for (const std::string& file : source.files) {
      const fs::path path = folder / file;
      if (fs::exists(path, error)) return open_cifar(path);
      tried.push_back(path.string());
    }
  }
  throw bad_input(fmt::format("dataset {} not found: looked for {}; say where with --data=DIR, or {}",
                              dataset, join_words(tried), source.how_to_get));
}

}  // namespace hedge
