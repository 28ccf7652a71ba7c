// SPDX-License-Identifier: Apache-2.0
// The small text files that are read: recipes, label files, recorded times, what a download leaves
// beside its part, checksums, and a server's Content-Range. Each input is taken as each of them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "data/file_datasets.h"
#include "data/label_file.h"
#include "data/recipe_text.h"
#include "data/recipes.h"
#include "fetch/cifar10.h"
#include "fetch/download.h"
#include "fetch/part_file.h"
#include "measure/recorded_times.h"
#include "require.h"

namespace {

void read_recipe(const std::string& text) {
  const hedge::PreprocessingRecipe recipe = hedge::recipe_from_text(text);
  hedge::check_recipe(recipe);
  const std::string line = hedge::to_string(recipe);
  require(hedge::to_string(hedge::recipe_from_text(line)) == line);
}

void read_labels(const std::string& text) {
  const std::vector<int> labels = hedge::labels_from_text(text, "labels.txt", 1000);
  require(!labels.empty() && labels.size() <= text.size());
  require(std::all_of(labels.begin(), labels.end(),
                      [](int label) { return label >= 0 && label < 1000; }));
}

void read_named_labels(const std::string& text) {
  const std::vector<std::string> pictures{"a b.ppm", "c/d.jpg", "e.png"};
  const auto files = hedge::label_pictures("photos", pictures, text, "labels.txt");
  require(!files.empty() && files.size() <= pictures.size());
  for (const hedge::ImageFile& file : files) {
    const std::string name = file.path.lexically_relative("photos").generic_string();
    require(std::find(pictures.begin(), pictures.end(), name) != pictures.end());
    require(file.label >= 0);
  }
}

void read_times(const std::string& text) {
  const hedge::RecordedTimes times = hedge::recorded_times_from_text(text, "times.json");
  require(times.mean_ns.standard_error >= 0);
  require(std::all_of(times.samples_ns.begin(), times.samples_ns.end(),
                      [](std::int64_t ns) { return ns >= 0; }));
}

void read_files_of_a_download(const std::string& text) {
  const hedge::PartSource source = hedge::parse_part_source(text);
  for (const std::string& line : {source.url, source.validator}) {
    require(std::none_of(line.begin(), line.end(),
                         [](char c) { return c == '\r' || c == '\n' || c == '\0'; }));
  }
  for (const auto& [name, checksum] : hedge::parse_checksums(text, std::string(64, 'a'))) {
    require(!name.empty() && checksum.size() == 64);
  }
  hedge::ContentRange range;
  if (hedge::parse_content_range(text, range))
    require(range.total == 0 || range.first < range.total);
  const std::string shown = hedge::without_credentials(text);
  require(shown.size() <= text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  accept_bad_input([&] { read_recipe(text); });
  accept_bad_input([&] { read_labels(text); });
  accept_bad_input([&] { read_named_labels(text); });
  accept_bad_input([&] { read_times(text); });
  read_files_of_a_download(text);
  return 0;
}
