// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "graph/graph.h"

namespace hedge {

/// Runs one node: its operator's reference implementation, then its post-ops. `inputs` are the
/// node's inputs, `operands` those of the post-ops that have one, in order.
[[nodiscard]] std::vector<Tensor> execute_node(const Node& node, std::span<const Tensor> inputs,
                                               std::span<const Tensor> operands);

/// Runs the graph, slowly and obviously: what every backend is compared with. `inputs` have the
/// callers' shapes (Graph::input_type). Throws bad_input when they do not.
[[nodiscard]] std::vector<Tensor> execute(const Graph& graph, std::span<const Tensor> inputs);

}  // namespace hedge
