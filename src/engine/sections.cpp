// SPDX-License-Identifier: Apache-2.0
#include "engine/sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "graph/early_exit.h"
#include "graph/serialize.h"
#include "hedge/error.h"

namespace hedge {
namespace {

using nlohmann::json;

void require_as_described(const Graph& graph, const EngineInfo& info) {
  bool same = graph.inputs.size() == 1 && info.inputs.size() == 1 &&
              (!info.exit || info.exit->output < graph.outputs.size()) &&
              graph.outputs.size() == info.outputs.size() &&
              graph.input_type(0).shape == info.inputs[0].shape &&
              info.inputs[0].shape.at(0) == info.batch;
  for (std::size_t i = 0; same && i < graph.outputs.size(); ++i) {
    same = graph.value(graph.outputs[i]).type.shape == info.outputs[i].shape;
  }
  if (same && info.exit) {
    const std::size_t stem = stem_length(graph, graph.outputs[info.exit->output]);
    same = stem > 0 && stem < graph.nodes.size();
  }
  if (!same) throw bad_input("the engine's metadata and graph differ; build the engine again");
}

}  // namespace

Section text_section(std::string name, std::string text) {
  const auto owner = std::make_shared<const std::string>(std::move(text));
  return {std::move(name), std::as_bytes(std::span(*owner)), owner};
}

const Section& find_section(std::span<const Section> sections, std::string_view name) {
  const auto found = std::find_if(sections.begin(), sections.end(),
                                  [&](const Section& section) { return section.name == name; });
  if (found == sections.end()) {
    throw bad_input(fmt::format("the engine has no section '{}'; build it again", name));
  }
  return *found;
}

std::map<std::string, std::string> read_words(const Section& section) {
  const auto* text = reinterpret_cast<const char*>(section.bytes.data());
  try {
    return json::parse(text, text + section.bytes.size()).get<std::map<std::string, std::string>>();
  } catch (const json::exception& error) {
    throw bad_input(
        fmt::format("the engine's {} cannot be read: {}", section.name, json_reason(error)));
  }
}

std::vector<Section> graph_sections(const Graph& graph) {
  auto serialized = std::make_shared<SerializedGraph>(serialize(graph));
  return {{"graph", std::as_bytes(std::span(serialized->structure)), serialized},
          {"weights", serialized->weights, serialized}};
}

Graph graph_of_sections(std::span<const Section> sections, const EngineInfo& info,
                        std::int64_t batch) {
  const Section& weights = find_section(sections, "weights");
  Graph graph = deserialize(find_section(sections, "graph").bytes, weights.bytes, weights.owner);
  require_as_described(graph, info);
  if (batch != info.batch) set_batch(graph, batch);
  return graph;
}

}  // namespace hedge
