// SPDX-License-Identifier: Apache-2.0
#include "graph/passes/passes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "graph/reference_executor.h"
#include "graph/serialize.h"
#include "support/nets.h"

namespace hedge {
namespace {

using test::GraphBuilder;
using test::Ints;

int count(const Graph& graph, std::string_view op) {
  return static_cast<int>(std::count_if(graph.nodes.begin(), graph.nodes.end(),
                                        [&](const Node& node) { return node.op->name == op; }));
}

Tensor input_of(const Graph& graph) {
  return test::noise_tensor(graph.input_type(0).shape, 77);
}

TEST(Optimize, KeepsTheFunction) {
  for (const auto& [name, make] : test::small_nets()) {
    SCOPED_TRACE(name);
    const Graph before = make();
    Graph after = before;
    optimize(after);
    const std::vector<Tensor> input{input_of(before)};
    const auto expected = execute(before, input);
    const auto actual = execute(after, input);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(actual[i].shape(), expected[i].shape());
      EXPECT_LT(test::relative_error(actual[i].values<float>(), expected[i].values<float>()), 1e-5);
      EXPECT_EQ(after.value(after.outputs[i]).name, before.value(before.outputs[i]).name);
    }
  }
}

TEST(Optimize, LeavesOnlyWhatMustRun) {
  const auto nets = test::small_nets();
  const auto optimized = [&](const std::string& name) {
    const auto found =
        std::find_if(nets.begin(), nets.end(), [&](const auto& n) { return n.first == name; });
    Graph graph = found->second();
    optimize(graph);
    return graph;
  };
  const Graph identity = optimized("identity shortcut");
  EXPECT_EQ(identity.nodes.size(), 7U);  // 3 convolutions, pool, flatten, gemm, softmax
  EXPECT_EQ(count(identity, "Conv"), 3);
  EXPECT_EQ(count(identity, "Gemm"), 1);
  EXPECT_EQ(identity.inputs[0].permutation, (Ints{0, 3, 1, 2}));
  EXPECT_EQ(identity.input_type(0).shape, (Shape{1, 12, 12, 3}));

  const Graph shortcut = optimized("parameter-free shortcut");
  EXPECT_EQ(count(shortcut, "Pad") + count(shortcut, "MaxPool") + count(shortcut, "Add"), 0);
  EXPECT_EQ(count(shortcut, "Conv"), 3);

  const Graph norms = optimized("batch norms");
  EXPECT_EQ(count(norms, "BatchNormalization") + count(norms, "Mul") + count(norms, "Clip"), 0);

  EXPECT_EQ(count(optimized("pads and pools"), "Pad"), 0);
  EXPECT_EQ(count(optimized("layouts"), "Transpose"),
            1);  // The one before Flatten moves something.
}

TEST(Optimize, FoldsOneConstantIntoOneOfTwoReaders) {
  GraphBuilder g;
  const ValueId x = g.input({1, 4, 5, 5});
  const ValueId w = g.weights({4, 4, 1, 1});
  const ValueId a = g.node("Mul", {g.node("Conv", {x, w}), g.weights({4, 1, 1})});
  const ValueId b = g.node("Conv", {a, w});  // The same weights, unscaled.
  const Graph before = g.finish({b});
  Graph after = before;
  optimize(after);
  EXPECT_EQ(after.nodes.size(), 2U);
  const std::vector<Tensor> input{input_of(before)};
  EXPECT_LT(test::relative_error(execute(after, input)[0].values<float>(),
                                 execute(before, input)[0].values<float>()),
            1e-5);
}

TEST(Optimize, LeavesAnAffineThatFindsNoConvolution) {
  GraphBuilder g;  // Relu, then scale: Keras's order of batch-norms.
  const ValueId x = g.node("Relu", {g.conv(g.input({1, 4, 6, 6}), 4, 8)});
  const Graph before = g.finish({g.node("Flatten", {g.node("Mul", {x, g.weights({8, 1, 1})})})});
  Graph after = before;
  optimize(after);
  const std::vector<Tensor> input{input_of(before)};
  EXPECT_LT(test::relative_error(execute(after, input)[0].values<float>(),
                                 execute(before, input)[0].values<float>()),
            1e-5);
}

TEST(Optimize, KeepsWhatMovesElementsThoughTheShapeStays) {
  for (const bool flip : {true, false}) {
    GraphBuilder g;
    const ValueId x = g.input({1, 3, 4, 4});
    const ValueId moved =
        flip ? g.node("Slice", {x, g.ints({-1}), g.ints({-100}), g.ints({1}), g.ints({-1})})
             : g.node("Pad", {x, g.ints({0, 0, 2, 0, 0, 0, -2, 0})});
    const Graph before = g.finish({g.node("Flatten", {moved})});
    Graph after = before;
    optimize(after);
    const std::vector<Tensor> input{input_of(before)};
    EXPECT_EQ(test::relative_error(execute(after, input)[0].values<float>(),
                                   execute(before, input)[0].values<float>()),
              0)
        << (flip ? "flip" : "shift");
  }
}

TEST(Optimize, MovesTransposesThroughWhateverIsPointwise) {
  GraphBuilder g;
  ValueId x = g.conv(g.input({1, 3, 4, 5}), 3, 3);
  x = g.node("Transpose", {x}, {{"perm", Ints{0, 2, 3, 1}}});
  for (const char* op : {"Sigmoid", "HardSwish", "Gelu", "LeakyRelu", "Elu", "Sqrt", "Neg"}) {
    x = g.node(op, {x});
  }
  x = g.node("Cast", {x}, {{"to", std::int64_t{7}}});  // Not of floats on the way.
  x = g.node("Abs", {g.node("Clip", {x, g.constant(Tensor::from<std::int64_t>({}, Ints{-2}))})});
  x = g.node("Cast", {x}, {{"to", std::int64_t{1}}});
  x = g.node("Transpose", {x}, {{"perm", Ints{0, 3, 1, 2}}});
  const Graph before = g.finish({g.conv(x, 3, 3)});
  Graph after = before;
  optimize(after);
  EXPECT_EQ(count(after, "Transpose"), 0);
  const std::vector<Tensor> input{input_of(before)};
  EXPECT_LT(test::relative_error(execute(after, input)[0].values<float>(),
                                 execute(before, input)[0].values<float>()),
            1e-5);
}

TEST(Optimize, DoesNotMoveThroughOrRemoveWhatHasASecondOutput) {
  GraphBuilder g;
  const ValueId x =
      g.node("Transpose", {g.conv(g.input({1, 3, 4, 5}), 3, 3)}, {{"perm", Ints{0, 2, 3, 1}}});
  const auto [y, mask] = g.node_of_two("Dropout", {x});
  const ValueId kept = g.node("Where", {mask, y, g.node("Neg", {y})});
  const Graph before = g.finish({g.node("Flatten", {kept})});
  Graph after = before;
  optimize(after);
  EXPECT_EQ(count(after, "Dropout"), 1);
  const std::vector<Tensor> input{input_of(before)};
  EXPECT_EQ(test::relative_error(execute(after, input)[0].values<float>(),
                                 execute(before, input)[0].values<float>()),
            0);
}

TEST(Optimize, MeansOfIntegersAreNoPools) {
  GraphBuilder g;
  const ValueId x = g.node("Cast", {g.input({1, 3, 4, 5})}, {{"to", std::int64_t{6}}});
  const ValueId mean = g.node("ReduceMean", {x}, {{"axes", Ints{2, 3}}});
  Graph graph = g.finish({g.node("Cast", {mean}, {{"to", std::int64_t{1}}})});
  optimize(graph);
  EXPECT_EQ(count(graph, "ReduceMean"), 1);
}

TEST(Optimize, RemovesWhatExportersWriteForNothing) {
  GraphBuilder g;
  const ValueId x = g.conv(g.input({1, 3, 4, 5}), 3, 3);
  const ValueId same = g.node("Expand", {g.node("Tile", {x, g.ints({1, 1, 1, 1})}), g.ints({1})});
  const ValueId sum = g.node("Sum", {g.node("Max", {same}), g.conv(x, 3, 3)});
  Graph graph = g.finish({g.node("Flatten", {sum})});
  optimize(graph);
  EXPECT_EQ(graph.nodes.size(), 3U);  // 2 convolutions, one with the sum as post-op, and Flatten
}

TEST(Serialize, KeepsInfiniteBounds) {
  GraphBuilder g;
  const float infinity = std::numeric_limits<float>::infinity();
  const ValueId x = g.conv(g.input({1, 2, 3, 3}), 2, 2);
  Graph graph = g.finish({g.node("Clip", {x}, {{"min", -0.1F}, {"max", infinity}})});
  optimize(graph);
  const auto owner = std::make_shared<const SerializedGraph>(serialize(graph));
  const Graph back = deserialize(std::as_bytes(std::span(owner->structure)), owner->weights, owner);
  ASSERT_FALSE(back.nodes.front().post_ops.empty());
  EXPECT_EQ(back.nodes.front().post_ops[0].beta, infinity);
  EXPECT_EQ(back.nodes.front().post_ops[0].alpha, -0.1F);
}

TEST(Serialize, RoundTrip) {
  for (const auto& [name, make] : test::small_nets()) {
    SCOPED_TRACE(name);
    Graph graph = make();
    optimize(graph);
    const SerializedGraph bytes = serialize(graph);
    const auto owner = std::make_shared<const SerializedGraph>(bytes);
    const Graph back =
        deserialize(std::as_bytes(std::span(owner->structure)), owner->weights, owner);
    const std::vector<Tensor> input{input_of(graph)};
    const auto expected = execute(graph, input);
    const auto actual = execute(back, input);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(test::relative_error(actual[i].values<float>(), expected[i].values<float>()), 0);
    }
  }
}

TEST(Serialize, RefusesWhatItDidNotWrite) {
  Graph graph = test::small_nets().front().second();
  const SerializedGraph good = serialize(graph);
  const auto refuse = [&](std::string structure, std::span<const std::byte> weights) {
    EXPECT_THROW((void)deserialize(std::as_bytes(std::span(structure)), weights, nullptr), Error)
        << structure.substr(0, 80);
  };
  refuse("", good.weights);
  refuse("{}", good.weights);
  refuse("[1,2", good.weights);
  refuse(good.structure, {});  // Constants lie outside.
  refuse(good.structure, std::span(good.weights).first(good.weights.size() / 2));
  std::string unknown = good.structure;
  unknown.replace(unknown.find("\"Softmax\""), 9, "\"Sofdmax\"");
  refuse(unknown, good.weights);
}

}  // namespace
}  // namespace hedge
