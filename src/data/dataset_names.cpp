// SPDX-License-Identifier: Apache-2.0
#include "data/dataset_names.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"

namespace hedge {
namespace {

constexpr std::array<std::string_view, 3> kDatasets{"cifar", "imagenet", "shapes"};

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kAliases{{
    {"cifar", "cifar"},
    {"cifar10", "cifar"},
    {"imagenet", "imagenet"},
    {"imagenet1k", "imagenet"},
    {"imagenet1000", "imagenet"},
    {"ilsvrc2012", "imagenet"},
    {"shapes", "shapes"},
}};

}  // namespace

std::string canonical_dataset(std::string_view name) {
  std::string plain = to_lower(name);
  std::erase_if(plain, [](char c) { return c == '-' || c == '_'; });
  const auto* found = std::find_if(kAliases.begin(), kAliases.end(),
                                   [&](const auto& alias) { return alias.first == plain; });
  return found == kAliases.end() ? std::string() : std::string(found->second);
}

std::string absolute_dataset(std::string_view name) {
  if (!is_own_dataset(name)) return std::string(name);
  const std::size_t colon = name.find(':');
  std::vector<std::string> paths{std::string(name.substr(colon + 1))};
  if (name.starts_with(kNpyPrefix)) paths = split(paths.front(), ',');
  std::string made(name.substr(0, colon + 1));
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (i > 0) made += ',';
    // An empty path is refused when the dataset is opened, not turned into the current folder.
    if (!paths[i].empty()) {
      made += std::filesystem::absolute(paths[i]).lexically_normal().string();
    }
  }
  return made;
}

std::span<const std::string_view> known_datasets() {
  return kDatasets;
}

}  // namespace hedge
