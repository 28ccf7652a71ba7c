// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hedge {

/// "cifar" for "cifar", "cifar10", "CIFAR-10", ...; "imagenet" for "imagenet1k", ...; "shapes".
/// Empty when unknown. Upper case, '-' and '_' do not matter.
[[nodiscard]] std::string canonical_dataset(std::string_view name);

/// What the user's own datasets begin with.
inline constexpr std::string_view kFolderPrefix = "folder:";
inline constexpr std::string_view kNpyPrefix = "npy:";
[[nodiscard]] inline bool is_own_dataset(std::string_view name) {
  return name.starts_with(kFolderPrefix) || name.starts_with(kNpyPrefix);
}

/// The user's own with its paths made absolute, so that an engine that holds the name finds the
/// same files from every folder; another name as it is.
[[nodiscard]] std::string absolute_dataset(std::string_view name);

/// Canonical names.
[[nodiscard]] std::span<const std::string_view> known_datasets();

}  // namespace hedge
