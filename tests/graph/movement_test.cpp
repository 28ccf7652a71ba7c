// SPDX-License-Identifier: Apache-2.0
#include "graph/movement.h"

#include <gtest/gtest.h>

#include "support/graph_builder.h"

namespace hedge {
namespace {

using test::GraphBuilder;

TEST(Movement, SaysWhereEachElementComesFrom) {
  GraphBuilder g;
  const ValueId x = g.input({2, 3});
  const ValueId y = g.node("Pad", {x, g.ints({0, 1, 0, 0}), g.number(0.5F)});
  const Graph graph = g.finish({y});
  const auto movement = trace_movement(graph, graph.nodes[0]);
  ASSERT_TRUE(movement.has_value());
  EXPECT_EQ(movement->sources, (std::vector<std::int32_t>{-1, 0, 1, 2, -1, 3, 4, 5}));
  EXPECT_EQ(movement->fill, 0.5F);
}

TEST(Movement, IsUnknownWhereIndicesVary) {
  GraphBuilder g;
  const ValueId x = g.input({2, 3});
  const ValueId best = g.node("ArgMax", {x}, {{"axis", std::int64_t{0}}});
  const Graph graph = g.finish({g.node("Gather", {x, best})});
  EXPECT_FALSE(trace_movement(graph, graph.nodes[1]).has_value());
}

}  // namespace
}  // namespace hedge
