// SPDX-License-Identifier: Apache-2.0
#include "graph/passes/sparsity.h"

#include <gtest/gtest.h>

#include "graph/passes/passes.h"
#include "support/graph_builder.h"

namespace hedge {
namespace {

/// One 1x1 convolution over `weights.size() / outputs` channels.
Graph conv_net(const std::vector<float>& weights, std::int64_t outputs) {
  test::GraphBuilder g;
  const auto channels = static_cast<std::int64_t>(weights.size()) / outputs;
  const ValueId x = g.input({1, channels, 2, 2});
  const ValueId w = g.constant(Tensor::from<float>({outputs, channels, 1, 1}, weights));
  return g.finish({g.node("Conv", {x, w})});
}

std::vector<float> weights_of(const Graph& graph) {
  const auto values = graph.value(graph.nodes.at(0).inputs.at(1)).constant->values<float>();
  return {values.begin(), values.end()};
}

TEST(Sparsity, TheTwoLargestOfFourStay) {
  Graph graph = conv_net({1, -3, 2, 0.5F, 4, 4, 4, 4}, 2);
  EXPECT_TRUE(sparse_layers(graph).empty());
  EXPECT_EQ(prune_two_of_four(graph), std::vector<std::string>{graph.nodes[0].name});
  EXPECT_EQ(weights_of(graph), (std::vector<float>{0, -3, 2, 0, 4, 4, 0, 0}));
  EXPECT_EQ(sparse_layers(graph), std::vector<std::string>{graph.nodes[0].name});
  EXPECT_TRUE(prune_two_of_four(graph).empty());
}

TEST(Sparsity, ALastGroupIsFilledUpWithZeros) {
  Graph graph = conv_net({1, 2, 3, 4, 5, 6}, 1);
  (void)prune_two_of_four(graph);
  EXPECT_EQ(weights_of(graph), (std::vector<float>{0, 0, 3, 4, 5, 6}));
}

TEST(Sparsity, FewerThanFourChannelsStayAsTheyAre) {
  Graph graph = conv_net({1, 2, 3}, 1);
  EXPECT_TRUE(prune_two_of_four(graph).empty());
  EXPECT_TRUE(sparse_layers(graph).empty());
}

TEST(Sparsity, GroupsFollowTheChannelsOfConvolutionsAndProducts) {
  test::GraphBuilder g;
  const ValueId x = g.input({1, 4});
  // Channels run down the columns.
  const ValueId w =
      g.constant(Tensor::from<float>({4, 2}, std::vector<float>{1, 8, 2, 7, 3, 6, 4, 5}));
  Graph graph = g.finish({g.node("Gemm", {x, w})});
  (void)prune_two_of_four(graph);
  EXPECT_EQ(weights_of(graph), (std::vector<float>{0, 8, 0, 7, 3, 0, 4, 0}));
}

}  // namespace
}  // namespace hedge
