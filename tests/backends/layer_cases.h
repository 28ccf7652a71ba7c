// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "support/graph_builder.h"

namespace hedge::test {

/// A layer behind a value of a shape.
struct LayerCase {
  std::string name;
  std::function<ValueId(GraphBuilder&, ValueId, const Shape&)> layer;
  bool fast = true;  ///< No reference kernel may run.
};

[[nodiscard]] std::vector<LayerCase> activations();
/// Every way of broadcasting two operands, with post-ops.
[[nodiscard]] std::vector<LayerCase> binaries(const std::string& op);
/// Pools, means, norms, softmax.
[[nodiscard]] std::vector<LayerCase> over_planes();
[[nodiscard]] std::vector<LayerCase> movements();
/// x as rows of its last axis, then a product.
[[nodiscard]] std::vector<LayerCase> products();

}  // namespace hedge::test
