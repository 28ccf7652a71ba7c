// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/backend.h"
#include "hedge/engine.h"

namespace hedge {

/// The content of an engine file. Format (all integers little-endian, docs/engine-format.md):
/// preamble, section table, JSON metadata, then the sections, each on a 64-byte border so that
/// weights are used where they are mapped. Every byte of the file is covered by a checksum.
struct EngineContainer {
  EngineInfo info;
  nlohmann::json layer_choices;
  std::vector<Section> sections;
};

/// Writes aside, then renames. Throws runtime_failure or bad_input as AtomicFile does.
void save_container(const EngineContainer& container, const std::filesystem::path& path);

/// Maps the file and checks everything. A file that is not ours but that a backend runs (a bare
/// plan) becomes a container without a recipe. Throws bad_input: foreign, truncated, corrupted,
/// newer.
[[nodiscard]] EngineContainer load_container(const std::filesystem::path& path);

/// The same on bytes in memory (kept alive by `owner`); `name` is for messages. What the fuzzer
/// calls.
[[nodiscard]] EngineContainer parse_container(std::span<const std::byte> bytes,
                                              std::shared_ptr<const void> owner,
                                              const std::string& name);

/// An engine of a container, without a file.
[[nodiscard]] std::shared_ptr<const Engine> make_engine(EngineContainer container);

}  // namespace hedge
