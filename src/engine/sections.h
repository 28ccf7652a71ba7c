// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "engine/backend.h"

// What backends have in common whose engines hold the graph and a few words beside it.

namespace hedge {

[[nodiscard]] Section text_section(std::string name, std::string text);
/// Throws bad_input where the engine has none of the name.
[[nodiscard]] const Section& find_section(std::span<const Section> sections, std::string_view name);
/// An object of names and words: tactics by kind of layer, precisions by layer. Throws bad_input.
[[nodiscard]] std::map<std::string, std::string> read_words(const Section& section);

/// The sections "graph" and "weights".
[[nodiscard]] std::vector<Section> graph_sections(const Graph& graph);
/// And back, at the batch that is asked for. Throws bad_input: sections that are missing or that
/// differ from the metadata, which programs believe.
[[nodiscard]] Graph graph_of_sections(std::span<const Section> sections, const EngineInfo& info,
                                      std::int64_t batch);

}  // namespace hedge
