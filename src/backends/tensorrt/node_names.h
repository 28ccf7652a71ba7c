// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hedge::tensorrt {

struct NodeName {
  std::string name;
  std::string op;
};

/// The nodes of an ONNX model in its order, for messages of parsers that only count them. Reads the
/// few fields of the format that it needs; what is no ONNX has no nodes.
[[nodiscard]] std::vector<NodeName> node_names(std::string_view onnx);

}  // namespace hedge::tensorrt
