// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "graph/graph.h"
#include "graph/onnx_form.h"

namespace hedge {

/// The graph as the bytes of an ONNX file; values of 8 bits become Q/DQ nodes (quant/qdq.h). Loads
/// the importer's module. Throws bad_input as export_onnx does.
[[nodiscard]] std::string onnx_of(const Graph& graph, const OnnxForm& form = {});
/// The same as a file.
void export_model(const Graph& graph, const std::filesystem::path& file);

}  // namespace hedge
