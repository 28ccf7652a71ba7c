// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <ostream>
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

/// Layers of a kind, for a test each.
struct LayerGroup {
  std::string name;
  std::function<std::vector<LayerCase>()> cases;
};
inline void PrintTo(const LayerGroup& group, std::ostream* out) {
  *out << group.name;
}
/// Activations, every way of broadcasting two operands with post-ops, pools, means, norms and
/// softmax over planes, movements, and products of x as rows of its last axis.
[[nodiscard]] const std::vector<LayerGroup>& layer_groups();

/// Where a layer's input comes from.
struct Feed {
  std::string name;
  Shape shape;  ///< Of the layer's input.
  bool convolved = false;
};
/// The graph's input, convolutions whose result has channels in whole blocks and others, a batch.
[[nodiscard]] const std::vector<Feed>& feeds();
[[nodiscard]] Graph graph_of(const LayerCase& layer, const Feed& feed);
/// Whether results change little where numbers do: a rounding may turn Equal and ArgMax round.
[[nodiscard]] bool is_continuous(const Graph& graph);

}  // namespace hedge::test
