// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace hedge {

// Structured sparsity as NVIDIA's tensor cores have it (Ampere on): of each four weights of an
// output that follow one another along the input channels, at most two are not zero. A last group
// of less than four counts as filled up with zeros.

/// Layers with constant weights (Conv, and Gemm) whose weights are so already, by name; those with
/// fewer than four input channels have nothing to leave out and are not among them.
[[nodiscard]] std::vector<std::string> sparse_layers(const Graph& graph);

/// Makes the smallest of each four zero, in every such layer. Not what the graph computed any more.
/// Returns the layers that have changed, by name.
std::vector<std::string> prune_two_of_four(Graph& graph);

}  // namespace hedge
