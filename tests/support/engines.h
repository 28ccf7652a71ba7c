// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "engine/container.h"
#include "graph/passes/passes.h"

namespace hedge::test {

/// The engine file of an optimised graph, as the builder makes it, but for names and recipes.
inline EngineContainer container_of(const Graph& graph, const std::string& precision, int level = 0,
                                    const std::string& backend = "cpu") {
  BackendEngine built = require_backend(backend).build(
      graph,
      {.precision = precision, .optimization_level = level, .threads = 1, .timing_cache = {}});
  EngineContainer container;
  container.info.backend = backend;
  container.info.precision = precision;
  container.info.batch = graph.input_type(0).shape.at(0);
  container.info.inputs = {{"input", graph.input_type(0).shape}};
  for (const ValueId id : graph.outputs) {
    container.info.outputs.push_back({"output", graph.value(id).type.shape});
  }
  container.sections = std::move(built.sections);
  return container;
}

inline std::shared_ptr<const Engine> engine_of(const Graph& graph, const std::string& precision,
                                               int level = 0, const std::string& backend = "cpu") {
  return make_engine(container_of(graph, precision, level, backend));
}

inline std::vector<std::vector<float>> run(ExecutionContext& context,
                                           std::span<const float> input) {
  std::copy(input.begin(), input.end(), context.input().begin());
  context.infer();
  std::vector<std::vector<float>> outputs;
  for (std::size_t i = 0; i < context.output_count(); ++i) {
    outputs.emplace_back(context.output(i).begin(), context.output(i).end());
  }
  return outputs;
}

inline Graph optimized(Graph graph) {
  optimize(graph);
  return graph;
}

/// The kernels that a context runs, in order.
inline std::vector<std::string> kernels_of(const ExecutionContext& context) {
  std::vector<std::string> kernels;
  for (const auto& layer : dynamic_cast<const LayerProfiler&>(context).layers()) {
    kernels.push_back(layer.kernel);
  }
  return kernels;
}

}  // namespace hedge::test
