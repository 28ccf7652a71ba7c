// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "onnx/format.pb.h"

namespace hedge {

/// Replaces each call of a function that the model defines by the function's nodes, functions that
/// call others included. Returns, for each node of the graph, the opset of the standard operators
/// that it is written for: that of the model, or of the function that it comes from. Throws
/// bad_input: a function that calls itself, or bodies that multiply without measure.
[[nodiscard]] std::vector<std::int64_t> inline_functions(onnx::ModelProto& model);

}  // namespace hedge
