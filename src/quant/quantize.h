// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hedge {

/// Activations whose range matters to an INT8 engine: what Conv and Gemm with constant weights
/// read, the residuals that are added to their results, and whatever shares its scale with one of
/// these. The graph is optimised.
[[nodiscard]] std::vector<ValueId> quantizable_activations(const Graph& graph);

struct QuantizeOptions {
  /// Names of nodes that stay in floating point; "first" and "last" are the first and the last
  /// layer with weights.
  std::set<std::string> keep{};
  /// The input is never negative (raw pixels): held as uint8, twice as fine.
  bool unsigned_input = false;
  /// No uint8 anywhere: what TensorRT takes.
  bool signed_only = false;
};

/// Names of the layers that quantize() quantises: Conv and Gemm with constant weights, in order.
[[nodiscard]] std::vector<std::string> quantizable_layers(const Graph& graph);

/// The layer that is called so; "first" and "last" are names too. Throws bad_input with the nearest
/// name.
[[nodiscard]] std::string resolve_layer(const Graph& graph, const std::string& name);

/// Makes an optimised float graph one of INT8 (Value::quantization). Weights get a scale for each
/// output channel, max|w|/127, and are rounded; activations threshold/127 in int8, or threshold/255
/// in uint8 where the graph shows that they are never negative (behind a ReLU); biases are rounded
/// to multiples of input scale times weight scale. Views and max-pools share one scale with their
/// input, the inputs of a Concat one with each other. `thresholds` by the names of the values.
/// Throws bad_input naming: layers of `keep` that do not exist, activations without a threshold.
void quantize(Graph& graph, const std::map<std::string, double>& thresholds,
              const QuantizeOptions& options);

/// Whether the node computes in integers: Conv or Gemm whose input and weights are held in 8 bits.
[[nodiscard]] bool is_int8(const Graph& graph, const Node& node);

}  // namespace hedge
