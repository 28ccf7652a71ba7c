// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "graph/graph.h"
#include "hedge/engine.h"

namespace hedge {

/// batch x classes, also with extents of 1 beside the classes (1x1000x1x1).
[[nodiscard]] bool are_scores(const Shape& shape, std::int64_t batch);

/// The exit of a model whose name begins with EE_ and that has two outputs of as many scores: the
/// one that takes fewer multiply-accumulates. Empty where there is none.
[[nodiscard]] std::string own_exit(const Graph& graph);

/// "scores that would do: 'a' and 'b'", for the end of a message.
[[nodiscard]] std::string exit_candidates(const Graph& graph);

/// Makes the tensor of that name, an output or one inside, the graph's last output; the first one
/// is the net's own scores. The graph is as imported, a classifier, with types inferred. Throws
/// bad_input: no such tensor (with the nearest name), one that feeds no output, no scores, other
/// classes than the net's, what the net ends in, or nothing of weight behind it; names the tensors
/// that would do.
void take_exit(Graph& graph, const std::string& tensor);

/// Of an optimised graph whose last output is the exit: brings the stem to the front (graph/
/// early_exit.h) and tells of it, for batches of `batch`.
[[nodiscard]] ExitInfo lay_out_exit(Graph& graph, std::int64_t batch);

/// Whether the output is what a Softmax gives.
[[nodiscard]] bool ends_in_softmax(const Graph& graph, ValueId output);

}  // namespace hedge
