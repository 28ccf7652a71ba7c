// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "graph/graph.h"

namespace hedge {

/// Writes the graph as an ONNX file; values of 8 bits become Q/DQ nodes (quant/qdq.h). Loads the
/// importer's module. Throws bad_input as export_onnx does.
void export_model(const Graph& graph, const std::filesystem::path& file);

}  // namespace hedge
