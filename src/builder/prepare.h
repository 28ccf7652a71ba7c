// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "builder/builder.h"
#include "engine/backend.h"
#include "engine/container.h"
#include "engine/engine_name.h"
#include "graph/graph.h"

namespace hedge {

/// A model between its ONNX file and the backend: what is done to graphs by tools is done here.
struct PreparedModel {
  const Backend* backend = nullptr;
  BuildOptions build;
  EngineInfo info;
  Graph graph;                         ///< Optimised.
  std::optional<Graph> float_graph{};  ///< As it was before make_int8.
  bool came_quantized = false;  ///< Its values carry the quantisation of the file's Q/DQ nodes.
};

/// ONNX file to what compile() takes. Throws as build_engine does, but for calibration.
[[nodiscard]] PreparedModel prepare_model(const std::filesystem::path& onnx,
                                          const EngineBuildOptions& options);

/// What --dataset says, else the name: canonical. Warns where they contradict.
[[nodiscard]] std::string choose_dataset(const EngineName& name, const EngineBuildOptions& options);

/// The recipe that was stated, or the one that goes with the names, fitted to the input's shape.
/// Throws bad_input, which says the flags that state one.
[[nodiscard]] PreprocessingRecipe choose_recipe(const EngineName& name, const std::string& dataset,
                                                const EngineBuildOptions& options,
                                                const Shape& input);

/// The backend's part of building.
[[nodiscard]] EngineContainer compile(const PreparedModel& model);
/// The same in fp32, of the graph as it was before make_int8.
[[nodiscard]] EngineContainer compile_float(const PreparedModel& model);

}  // namespace hedge
