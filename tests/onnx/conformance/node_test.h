// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "onnx/format.pb.h"

namespace hedge::conformance {

/// One of ONNX's own node tests: a model of one operator (or of the nodes that define it, an
/// "expanded" test), its inputs and what it must answer.
struct NodeTest {
  std::string name;  ///< Of its folder: "test_add_bcast".
  /// The operator that it is about: of an expanded test, the one that is expanded.
  std::string about;
  bool expanded = false;
  onnx::ModelProto model;
  std::vector<onnx::TensorProto> inputs;   ///< In the order of the graph's inputs.
  std::vector<onnx::TensorProto> outputs;  ///< In the order of the graph's outputs.
  std::string unreadable;                  ///< Why inputs and outputs were not read: no tensors.
};

/// All tests below the folder `node` of onnx/backend/test/data, by name. Throws Error where the
/// folder is not that.
[[nodiscard]] std::vector<NodeTest> read_node_tests(const std::filesystem::path& folder);

}  // namespace hedge::conformance
