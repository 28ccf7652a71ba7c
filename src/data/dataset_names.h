// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hedge {

/// "cifar" for "cifar", "cifar10", "CIFAR-10", ...; "imagenet" for "imagenet1k", ...; "shapes".
/// Empty when unknown. Upper case, '-' and '_' do not matter.
[[nodiscard]] std::string canonical_dataset(std::string_view name);

/// Canonical names.
[[nodiscard]] std::span<const std::string_view> known_datasets();

}  // namespace hedge
