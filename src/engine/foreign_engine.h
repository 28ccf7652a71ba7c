// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>

#include "engine/container.h"

namespace hedge {

/// An engine out of bytes that are not Hedge's container, by the backend that recognises them; what
/// the bytes do not tell (model, dataset, precision) comes of the file's name. Nothing where none
/// does. Throws bad_input where that backend cannot run here, or cannot run this one.
[[nodiscard]] std::optional<EngineContainer> read_foreign_engine(std::span<const std::byte> bytes,
                                                                 std::shared_ptr<const void> owner,
                                                                 const std::filesystem::path& path);

}  // namespace hedge
