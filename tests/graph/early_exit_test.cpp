// SPDX-License-Identifier: Apache-2.0
#include "graph/early_exit.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graph/passes/passes.h"
#include "graph/reference_executor.h"
#include "support/early_exit_nets.h"

namespace hedge {
namespace {

using test::early_exit_net;

std::vector<std::vector<float>> outputs(const Graph& graph) {
  const std::vector<Tensor> input{test::noise_tensor(graph.input_type(0).shape, 3)};
  std::vector<std::vector<float>> all;
  for (const Tensor& tensor : execute(graph, input)) {
    const auto values = tensor.values<float>();
    all.emplace_back(values.begin(), values.end());
  }
  return all;
}

std::vector<std::string> names(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> found;
  for (const ValueId id : ids) found.push_back(graph.value(id).name);
  return found;
}

TEST(EarlyExit, OrdersTheStemFirstAndChangesNothingElse) {
  for (const bool own_input : {false, true}) {
    for (const bool fused : {false, true}) {
      Graph graph = early_exit_net(own_input);
      if (fused) optimize(graph);
      const auto before = outputs(graph);
      const std::size_t late = stem_length(graph, graph.outputs[1]);
      EXPECT_EQ(late, graph.nodes.size());  // The head stands last.
      order_stem_first(graph, graph.outputs[1]);
      validate(graph);
      EXPECT_LT(stem_length(graph, graph.outputs[1]), late);
      EXPECT_EQ(outputs(graph), before);
    }
  }
}

TEST(EarlyExit, TheStemAloneMakesTheExitsScores) {
  Graph graph = early_exit_net(true);
  optimize(graph);
  order_stem_first(graph, graph.outputs[1]);
  const auto whole = outputs(graph);
  graph.nodes.resize(stem_length(graph, graph.outputs[1]));
  graph.outputs.erase(graph.outputs.begin());
  EXPECT_EQ(outputs(graph)[0], whole[1]);
  // And no node less would.
  graph.nodes.pop_back();
  EXPECT_THROW(validate(graph), Error);
}

TEST(EarlyExit, CutsAtTheFewestValues) {
  for (const bool own_input : {false, true}) {
    Graph graph = early_exit_net(own_input);
    optimize(graph);
    order_stem_first(graph, graph.outputs[1]);
    const auto cut = cut_values(graph, stem_length(graph, graph.outputs[1]));
    // The block's output, once, though a convolution and a residual read it; the image where the
    // tail reads it itself; no weights.
    std::vector<std::string> expected{"Relu_6:0"};
    if (own_input) expected.insert(expected.begin(), "input");
    EXPECT_EQ(names(graph, cut), expected);
  }
}

TEST(EarlyExit, CountsMultiplyAccumulatesOfAPart) {
  Graph graph = early_exit_net();
  optimize(graph);
  const ValueId scores = graph.outputs[0];
  const ValueId exit = graph.outputs[1];
  constexpr std::int64_t kFirst = 3 * 16 * 9 * 144;
  constexpr std::int64_t kBlockConvolution = 16 * 16 * 9 * 144;
  constexpr std::int64_t kHead = 16 * 16 * 9 * 36 + 160;
  constexpr std::int64_t kShared = kFirst + 2 * kBlockConvolution;
  EXPECT_EQ(multiply_accumulates_of(graph, exit), kShared + kHead);
  EXPECT_EQ(multiply_accumulates_of(graph, exit, scores), kHead);
  EXPECT_EQ(multiply_accumulates_of(graph, scores, exit), 2 * kBlockConvolution + 160);
  EXPECT_EQ(multiply_accumulates(graph), kShared + kHead + 2 * kBlockConvolution + 160);
}

}  // namespace
}  // namespace hedge
