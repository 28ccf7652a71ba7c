// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "graph/graph.h"

namespace hedge {

/// The graph's operator for `op_type` of an ONNX domain, or null. Operators that newer opsets
/// replaced (Upsample) have their successor; those of ONNX Runtime's domain that mean the same as a
/// standard one have that.
[[nodiscard]] const Operator* operator_for(std::string_view domain, std::string_view op_type);

/// Gives a node of opset 7 or newer the form and meaning that its operator has in the newest opset,
/// which is the only one that the graph knows. Constants that this takes are added to the graph.
/// Throws bad_input, naming the attribute, for what the newest form cannot say.
void normalize(Graph& graph, Node& node, std::string_view op_type, std::int64_t opset);

/// Softmax and LogSoftmax before opset 13 worked over all axes from `axis` on at once: along one
/// axis where the rest have extent 1, over the flattened ones otherwise. Needs inferred shapes, and
/// leaves them inferred.
void normalize_softmax(Graph& graph);

}  // namespace hedge
