// SPDX-License-Identifier: Apache-2.0
// Activations and norms that exporters write as several nodes, and their way into post-ops.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "graph/passes/passes.h"
#include "graph/post_op.h"
#include "graph/reference_executor.h"
#include "graph/serialize.h"
#include "support/graph_builder.h"

namespace hedge {
namespace {

using Kind = PostOp::Kind;
using test::GraphBuilder;
using test::Ints;

ValueId number(GraphBuilder& g, float value, const Shape& shape = {}) {
  return g.constant(Tensor::from<float>(shape, std::span(&value, 1)));
}

struct Pattern {
  std::string name;
  std::function<ValueId(GraphBuilder&, ValueId)> make;
  Kind kind;
  float alpha = 0;
  float beta = 0;
};

ValueId gelu_erf(GraphBuilder& g, ValueId x, bool half_first) {
  const ValueId bell = g.node("Erf", {half_first ? g.node("Mul", {x, number(g, std::sqrt(0.5F))})
                                                 : g.node("Div", {x, number(g, std::sqrt(2.F))})});
  const ValueId one = g.node("Add", {bell, number(g, 1)});
  if (half_first) return g.node("Mul", {one, g.node("Mul", {number(g, 0.5F), x})});
  return g.node("Mul", {g.node("Mul", {x, one}), number(g, 0.5F, {1})});
}

ValueId gelu_tanh(GraphBuilder& g, ValueId x) {
  const ValueId cube = g.node("Mul", {g.node("Pow", {x, number(g, 3)}), number(g, 0.044715F)});
  const ValueId inner = g.node("Mul", {g.node("Add", {x, cube}), number(g, 0.7978846F)});
  const ValueId one = g.node("Add", {number(g, 1), g.node("Tanh", {inner})});
  return g.node("Mul", {g.node("Mul", {x, number(g, 0.5F)}), one});
}

ValueId hard_swish(GraphBuilder& g, ValueId x, bool divide_first) {
  const ValueId gate =
      g.node("Clip", {g.node("Add", {x, number(g, 3)}), number(g, 0), number(g, 6)});
  if (divide_first) return g.node("Mul", {x, g.node("Div", {gate, number(g, 6)})});
  return g.node("Div", {g.node("Mul", {x, gate}), number(g, 6)});
}

std::vector<Pattern> patterns() {
  return {
      {"swish",
       [](auto& g, ValueId x) {
         return g.node("Mul", {x, g.node("Sigmoid", {x})});
       },
       Kind::kSwish, 1},
      {"quick gelu",
       [](auto& g, ValueId x) {
         return g.node("Mul", {g.node("Sigmoid", {g.node("Mul", {x, number(g, 1.702F)})}), x});
       },
       Kind::kSwish, 1.702F},
      {"hard swish", [](auto& g, ValueId x) { return hard_swish(g, x, false); }, Kind::kHardSwish},
      {"hard swish, divided first", [](auto& g, ValueId x) { return hard_swish(g, x, true); },
       Kind::kHardSwish},
      {"hard swish of PyTorch",
       [](auto& g, ValueId x) {
         return g.node("Mul", {x, g.node("HardSigmoid", {x}, {{"alpha", 1.F / 6}})});
       },
       Kind::kHardSwish},
      {"hard sigmoid",
       [](auto& g, ValueId x) {
         return g.node(
             "Div", {g.node("Clip", {g.node("Add", {x, number(g, 3)}), number(g, 0), number(g, 6)}),
                     number(g, 6)});
       },
       Kind::kHardSigmoid, 1.F / 6, 0.5F},
      {"gelu", [](auto& g, ValueId x) { return gelu_erf(g, x, false); }, Kind::kGelu},
      {"gelu of another exporter", [](auto& g, ValueId x) { return gelu_erf(g, x, true); },
       Kind::kGelu},
      {"gelu by tanh", [](auto& g, ValueId x) { return gelu_tanh(g, x); }, Kind::kGeluTanh},
      {"clip by min and max",
       [](auto& g, ValueId x) {
         return g.node("Min", {g.node("Max", {x, number(g, 0)}), number(g, 6)});
       },
       Kind::kClip, 0, 6},
      {"sigmoid by exp",
       [](auto& g, ValueId x) {
         return g.node("Div", {number(g, 1),
                               g.node("Add", {g.node("Exp", {g.node("Neg", {x})}), number(g, 1)})});
       },
       Kind::kSigmoid},
  };
}

void expect_same_function(const Graph& before, const Graph& after) {
  const std::vector<Tensor> input{test::noise_tensor(before.input_type(0).shape, 7, 4)};
  EXPECT_LT(test::relative_error(execute(after, input)[0].values<float>(),
                                 execute(before, input)[0].values<float>()),
            2e-5);
}

TEST(RecogniseActivations, MakesOnePostOp) {
  for (const Pattern& pattern : patterns()) {
    SCOPED_TRACE(pattern.name);
    GraphBuilder g;
    const Graph before = g.finish({pattern.make(g, g.conv(g.input({1, 3, 6, 6}), 3, 4))});
    Graph after = before;
    optimize(after);
    ASSERT_EQ(after.nodes.size(), 1U);
    ASSERT_EQ(after.nodes[0].post_ops.size(), 1U);
    EXPECT_EQ(after.nodes[0].post_ops[0].kind, pattern.kind);
    EXPECT_NEAR(after.nodes[0].post_ops[0].alpha, pattern.alpha, 1e-4);
    EXPECT_NEAR(after.nodes[0].post_ops[0].beta, pattern.beta, 1e-4);
    expect_same_function(before, after);
  }
}

TEST(RecogniseActivations, StandsAloneWhereNothingTakesIt) {
  for (const Pattern& pattern : patterns()) {
    SCOPED_TRACE(pattern.name);
    GraphBuilder g;
    const Graph before = g.finish({pattern.make(g, g.input({1, 3, 6, 6}))});
    Graph after = before;
    optimize(after);
    EXPECT_EQ(after.nodes.size(), 1U);
    expect_same_function(before, after);
  }
}

TEST(RecogniseActivations, LeavesWhatIsOnlyNear) {
  const std::vector<std::function<ValueId(GraphBuilder&, ValueId)>> strangers{
      [](auto& g, ValueId x) {  // A swish that stops growing far out.
        return g.node("Min", {g.node("Mul", {x, g.node("Sigmoid", {x})}), number(g, 1e6F)});
      },
      [](auto& g, ValueId x) {  // Another constant.
        return g.node("Mul", {x, g.node("HardSigmoid", {x}, {{"alpha", 0.17F}})});
      },
      [](auto& g, ValueId x) {  // A constant a channel.
        return g.node("Mul", {x, g.node("Sigmoid", {g.node("Mul", {x, g.weights({4, 1, 1})})})});
      },
      [](auto& g, ValueId x) {  // Two inputs.
        return g.node("Mul", {x, g.node("Sigmoid", {g.conv(x, 4, 4, 1)})});
      }};
  for (const auto& make : strangers) {
    GraphBuilder g;
    const Graph before = g.finish({make(g, g.conv(g.input({1, 3, 6, 6}), 3, 4))});
    Graph after = before;
    optimize(after);
    expect_same_function(before, after);
    EXPECT_GT(after.nodes.size() + after.nodes[0].post_ops.size(), 2U);
  }
}

TEST(RecogniseActivations, KeepsWhatOthersRead) {
  GraphBuilder g;
  const ValueId x = g.conv(g.input({1, 3, 6, 6}), 3, 4);
  const ValueId gate = g.node("Sigmoid", {x});
  const Graph before =
      g.finish({g.node("Concat", {g.node("Mul", {x, gate}), gate}, {{"axis", std::int64_t{1}}})});
  Graph after = before;
  optimize(after);
  expect_same_function(before, after);
}

TEST(RecogniseNorms, MakesOneLayerNormalization) {
  for (const bool affine : {true, false}) {
    for (const bool twice : {true, false}) {
      GraphBuilder g;
      const ValueId x = g.input({1, 2, 5, 8});
      const auto mean = [&](ValueId of) {
        return g.node("ReduceMean", {of}, {{"axes", Ints{-1}}});
      };
      const ValueId difference = g.node("Sub", {x, mean(x)});
      const ValueId other = twice ? g.node("Sub", {x, mean(x)}) : difference;
      const ValueId square =
          twice ? g.node("Mul", {other, other}) : g.node("Pow", {other, number(g, 2)});
      const ValueId root = g.node("Sqrt", {g.node("Add", {mean(square), number(g, 1e-3F)})});
      ValueId y = g.node("Div", {difference, root});
      if (affine) y = g.node("Add", {g.node("Mul", {g.weights({8}), y}), g.weights({8})});
      const Graph before = g.finish({y});
      Graph after = before;
      optimize(after);
      ASSERT_EQ(after.nodes.size(), 1U);
      EXPECT_EQ(after.nodes[0].op->name, "LayerNormalization");
      expect_same_function(before, after);
    }
  }
}

TEST(RecogniseNorms, LeavesOtherAxesAndOtherMeans) {
  GraphBuilder g;
  const ValueId x = g.input({1, 2, 5, 8});
  const auto mean = [&](ValueId of, std::int64_t axis) {
    return g.node("ReduceMean", {of}, {{"axes", Ints{axis}}});
  };
  const ValueId difference = g.node("Sub", {x, mean(x, 2)});
  const ValueId square = g.node("Pow", {difference, number(g, 2)});
  const ValueId root = g.node("Sqrt", {g.node("Add", {mean(square, 3), number(g, 1e-3F)})});
  const Graph before = g.finish({g.node("Div", {difference, root})});
  Graph after = before;
  optimize(after);
  expect_same_function(before, after);
}

TEST(FusePostOps, BiasResidualAndActivationOfAMatMul) {
  GraphBuilder g;
  const ValueId x = g.input({1, 2, 5, 8});
  const ValueId product = g.node("MatMul", {x, g.weights({8, 8})});
  const ValueId sum = g.node("Add", {x, g.node("Add", {g.weights({8}), product})});
  const Graph before = g.finish({g.node("LeakyRelu", {sum}, {{"alpha", 0.3F}})});
  Graph after = before;
  optimize(after);
  ASSERT_EQ(after.nodes.size(), 1U);
  EXPECT_EQ(after.nodes[0].post_ops.size(), 3U);
  expect_same_function(before, after);
}

TEST(FusePostOps, MeanOverThePlaneIsAPool) {
  GraphBuilder g;
  const ValueId x = g.input({2, 3, 4, 5});
  const Graph before = g.finish(
      {g.node("ReduceMean", {x}, {{"axes", Ints{-1, -2}}, {"keepdims", std::int64_t{0}}})});
  Graph after = before;
  optimize(after);
  EXPECT_EQ(after.nodes[0].op->name, "GlobalAveragePool");
  expect_same_function(before, after);
}

TEST(PostOps, NamesAndFilesKeepThem) {
  for (int i = 0; i <= static_cast<int>(Kind::kPow); ++i) {
    const auto kind = static_cast<Kind>(i);
    EXPECT_EQ(post_op_kind(to_string(kind)), kind);
    GraphBuilder g;
    const ValueId x = g.input({1, 2, 3, 3});
    Graph graph = g.finish({g.conv(x, 2, 2)});
    graph.nodes[0].post_ops = {
        {.kind = kind, .operand = kind == Kind::kAdd ? x : kNoValue, .alpha = 0.25F, .beta = 2}};
    const auto owner = std::make_shared<const SerializedGraph>(serialize(graph));
    const Graph back =
        deserialize(std::as_bytes(std::span(owner->structure)), owner->weights, owner);
    const PostOp& kept = back.nodes[0].post_ops.at(0);
    EXPECT_EQ(kept.kind, kind);
    EXPECT_EQ(kept.operand, graph.nodes[0].post_ops[0].operand);
    EXPECT_EQ(kept.alpha, 0.25F);
    EXPECT_EQ(kept.beta, 2.F);
  }
}

/// PyTorch's GLU: both leaves have one producer.
TEST(Recognise, AGateOfTwoOutputsOfOneNodeIsNoActivation) {
  test::GraphBuilder g;
  const auto halves = g.split(g.input({1, 8, 4, 4}), 1, {4, 4});
  const Graph made = g.finish({g.node("Mul", {halves[0], g.node("Sigmoid", {halves[1]})})});
  Graph graph = made;
  optimize(graph);
  const std::vector<Tensor> input{test::noise_tensor({1, 8, 4, 4}, 5)};
  const auto before = execute(made, input).at(0);
  const auto after = execute(graph, input).at(0);
  EXPECT_LT(test::relative_error(after.values<float>(), before.values<float>()), 1e-6);
}

}  // namespace
}  // namespace hedge
