// SPDX-License-Identifier: Apache-2.0
#include "builder/early_exit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "graph/early_exit.h"
#include "graph/passes/passes.h"
#include "hedge/error.h"
#include "support/early_exit_nets.h"

namespace hedge {
namespace {

using test::early_exit_net;

std::string exit_name(const Graph& graph) {
  return graph.value(graph.outputs[1]).name;
}

/// The message with which it is refused; "taken" where it is not.
std::string refusal(Graph graph, const std::string& tensor) {
  try {
    take_exit(graph, tensor);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return "taken";
}

void expect_mentions(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    EXPECT_NE(text.find(word), std::string::npos) << "'" << word << "' is not in: " << text;
  }
}

TEST(TakeExit, TakesAnOutputAndLeavesTheNetsScoresFirst) {
  Graph graph = early_exit_net();
  std::swap(graph.outputs[0], graph.outputs[1]);
  const ValueId exit = graph.outputs[0];
  const ValueId scores = graph.outputs[1];
  take_exit(graph, graph.value(exit).name);
  EXPECT_EQ(graph.outputs, (std::vector<ValueId>{scores, exit}));
}

TEST(TakeExit, TakesATensorInside) {
  Graph graph = early_exit_net();
  const std::string name = exit_name(graph);
  graph.outputs.pop_back();
  take_exit(graph, name);
  ASSERT_EQ(graph.outputs.size(), 2U);
  EXPECT_EQ(exit_name(graph), name);
}

TEST(TakeExit, KeepsFurtherOutputs) {
  Graph graph = early_exit_net();
  const ValueId exit = graph.outputs[1];
  graph.outputs = {graph.outputs[0], exit, graph.nodes[0].outputs[0]};
  const auto others = std::pair(graph.outputs[0], graph.outputs[2]);
  take_exit(graph, graph.value(exit).name);
  EXPECT_EQ(graph.outputs, (std::vector<ValueId>{others.first, others.second, exit}));
}

TEST(TakeExit, NamesTheNearestTensorAndThoseThatWouldDo) {
  const Graph graph = early_exit_net();
  const std::string name = exit_name(graph);
  expect_mentions(refusal(graph, name + "x"), {"no tensor of this name", "did you mean '" + name,
                                               "scores that would do: ", " and '" + name + "'"});
  const std::string far = refusal(graph, "somewhere_else_altogether");
  EXPECT_EQ(far.find("did you mean"), std::string::npos) << far;
  expect_mentions(far, {"scores that would do: ", " and '" + name + "'"});
}

TEST(TakeExit, SaysWhereATensorWasLeftOut) {
  Graph graph = early_exit_net();
  graph.unread = {"aux"};
  expect_mentions(refusal(graph, "aux"), {"--exit=aux: feeds no output of the model"});
}

TEST(TakeExit, RefusesWhatIsNoScores) {
  const Graph graph = early_exit_net();
  const std::string activation = graph.value(graph.nodes[0].outputs[0]).name;
  expect_mentions(refusal(graph, activation),
                  {"1x16x12x12", "an exit has scores as the net has, float32 1x10"});
  expect_mentions(refusal(graph, "input"), {"1x3x12x12"});
}

TEST(TakeExit, RefusesOtherClasses) {
  test::GraphBuilder g;
  const ValueId x = g.conv(g.input({1, 3, 8, 8}), 3, 8);
  const ValueId five = g.node("Flatten", {g.node("GlobalAveragePool", {g.conv(x, 8, 5)})});
  const ValueId ten = g.node("Flatten", {g.node("GlobalAveragePool", {g.conv(x, 8, 10)})});
  const Graph graph = g.finish({ten, five});
  expect_mentions(refusal(graph, exit_name(graph)), {"1x5", "1x10"});
}

TEST(TakeExit, RefusesWhatLeavesNothingToSkip) {
  Graph graph = early_exit_net();
  const ValueId scores = graph.outputs[0];
  // The logits before the softmax.
  const auto softmax = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                    [&](const Node& node) { return node.outputs[0] == scores; });
  expect_mentions(refusal(graph, graph.value(softmax->inputs[0]).name), {"saves nothing"});
  // The later exit of the two.
  expect_mentions(refusal(graph, graph.value(scores).name), {"saves nothing"});
  graph.outputs.pop_back();
  expect_mentions(refusal(graph, graph.value(scores).name), {"is what the model ends in"});
}

TEST(TakeExit, SaysWhereAModelHasNoHead) {
  test::GraphBuilder g;
  const ValueId x = g.conv(g.input({1, 3, 8, 8}), 3, 10);
  const Graph graph = g.finish({g.node("Flatten", {g.node("GlobalAveragePool", {x})})});
  expect_mentions(refusal(graph, "exit"), {"needs a head of its own", "docs/early-exit.md"});
}

TEST(TakeExit, RefusesWhatDoesNotDependOnTheImage) {
  test::GraphBuilder g;
  const ValueId x = g.conv(g.input({1, 3, 8, 8}), 3, 10);
  const ValueId scores = g.node("Flatten", {g.node("GlobalAveragePool", {x})});
  const Tensor constant = test::noise_tensor({1, 10}, 1);
  Graph graph = g.finish({g.node("Add", {scores, g.constant(constant)})});
  for (const Value& value : graph.values) {
    if (value.constant && value.type.shape == Shape{1, 10}) {
      expect_mentions(refusal(graph, value.name), {"does not depend on the image"});
      return;
    }
  }
  FAIL() << "the net has no such constant";
}

TEST(OwnExit, IsTheCheaperOfTwoOutputs) {
  Graph graph = early_exit_net();
  const std::string name = exit_name(graph);
  EXPECT_EQ(own_exit(graph), name);
  std::swap(graph.outputs[0], graph.outputs[1]);
  EXPECT_EQ(own_exit(graph), name);
}

TEST(OwnExit, IsNoneWhereNothingIsSaved) {
  Graph graph = early_exit_net();
  graph.outputs.pop_back();
  EXPECT_EQ(own_exit(graph), "");
  const ValueId scores = graph.outputs[0];
  const auto softmax = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                    [&](const Node& node) { return node.outputs[0] == scores; });
  graph.outputs.push_back(softmax->inputs[0]);
  EXPECT_EQ(own_exit(graph), "");
}

TEST(LayOutExit, TellsOfTheStem) {
  Graph graph = early_exit_net();
  optimize(graph);
  const ExitInfo info = lay_out_exit(graph, 1);
  EXPECT_EQ(info.output, 1U);
  EXPECT_FALSE(info.ends_in_softmax);
  EXPECT_EQ(info.multiply_accumulates, multiply_accumulates_of(graph, graph.outputs[1]));
  ASSERT_EQ(info.cut.size(), 1U);
  EXPECT_EQ(info.cut[0].shape, (std::vector<std::int64_t>{1, 16, 12, 12}));
  EXPECT_TRUE(ends_in_softmax(graph, graph.outputs[0]));
  EXPECT_LT(stem_length(graph, graph.outputs[1]), graph.nodes.size());
}

}  // namespace
}  // namespace hedge
