// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "onnx/format.pb.h"

namespace hedge {

/// What keeps the graph's nodes from being imported, one message for each kind: control flow,
/// operators that Hedge does not have, operators of other domains. Each names its nodes.
[[nodiscard]] std::vector<std::string> unsupported_operators(const onnx::GraphProto& graph);

}  // namespace hedge
