// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "graph/passes/passes.h"
#include "graph/reference_executor.h"
#include "quant/quantize.h"
#include "support/graph_builder.h"

namespace hedge::test {

/// The largest magnitude of each activation on one input.
inline std::map<std::string, double> ranges(const Graph& graph, const Tensor& input) {
  Graph observed = graph;
  observed.outputs = quantizable_activations(graph);
  const auto values = execute(observed, std::vector{input});
  std::map<std::string, double> thresholds;
  for (std::size_t i = 0; i < values.size(); ++i) {
    double largest = 1e-3;
    for (const float x : values[i].values<float>()) {
      largest = std::max(largest, std::fabs(double{x}));
    }
    thresholds[observed.value(observed.outputs[i]).name] = largest;
  }
  return thresholds;
}

/// Optimised, and held in 8 bits as far as its layers allow.
inline Graph quantized(Graph graph, const QuantizeOptions& options = {}) {
  optimize(graph);
  quantize(graph, ranges(graph, noise_tensor(graph.input_type(0).shape, 3)), options);
  return graph;
}

}  // namespace hedge::test
