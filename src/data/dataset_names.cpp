// SPDX-License-Identifier: Apache-2.0
#include "data/dataset_names.h"

#include <algorithm>
#include <array>
#include <utility>

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

std::span<const std::string_view> known_datasets() {
  return kDatasets;
}

}  // namespace hedge
