// SPDX-License-Identifier: Apache-2.0
#include "quant/qdq.h"

#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <string>

#include "graph/passes/passes.h"
#include "graph/query.h"
#include "graph/reference_executor.h"
#include "hedge/error.h"
#include "quant/quantize.h"
#include "support/graph_builder.h"
#include "support/nets.h"
#include "support/quantized.h"

namespace hedge {
namespace {

using test::GraphBuilder;
using test::Ints;
using test::noise_tensor;
using test::ranges;
using test::relative_error;

class Quantized : public testing::TestWithParam<std::size_t> {
 protected:
  Graph graph_ = [] {
    Graph graph = test::small_nets().at(GetParam()).second();
    optimize(graph);
    return graph;
  }();
  Tensor input_ = noise_tensor(graph_.input_type(0).shape, 7);
  Graph quantized_ = [this] {
    Graph graph = graph_;
    quantize(graph, ranges(graph_, input_), {});
    return graph;
  }();
};

TEST_P(Quantized, ComputesNearlyTheSame) {
  const auto exact = execute(graph_, std::vector{input_}).at(0);
  const auto rounded = execute(to_qdq(quantized_), std::vector{input_}).at(0);
  EXPECT_LT(relative_error(rounded.values<float>(), exact.values<float>()), 0.08);
  EXPECT_GT(relative_error(rounded.values<float>(), exact.values<float>()), 0);  // It is rounded.
}

TEST_P(Quantized, ComesBackFromExplicitNodes) {
  const Graph explicit_nodes = to_qdq(quantized_);
  Graph again = explicit_nodes;
  absorb_qdq(again);
  for (const Node& node : again.nodes) {
    EXPECT_NE(node.op->name, "QuantizeLinear") << node.name;
    EXPECT_NE(node.op->name, "DequantizeLinear") << node.name;
  }
  optimize(again);
  std::size_t layers = 0;
  for (const Node& node : again.nodes) layers += is_int8(again, node) ? 1 : 0;
  std::size_t before = 0;
  for (const Node& node : quantized_.nodes) before += is_int8(quantized_, node) ? 1 : 0;
  EXPECT_EQ(layers, before);
  EXPECT_GT(layers, 0U);
  const auto a = execute(to_qdq(again), std::vector{input_}).at(0);
  const auto b = execute(explicit_nodes, std::vector{input_}).at(0);
  EXPECT_LT(relative_error(a.values<float>(), b.values<float>()), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(SmallNets, Quantized,
                         testing::Range<std::size_t>(0, test::small_nets().size()),
                         [](const auto& info) {
                           std::string name = test::small_nets().at(info.param).first;
                           for (char& c : name)
                             c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                           return name;
                         });

Graph two_layers() {
  GraphBuilder g;
  const ValueId x = g.node("Relu", {g.conv(g.input({1, 3, 8, 8}), 3, 8)});
  return g.finish({g.node("Flatten", {g.conv(x, 8, 4)})});
}

TEST(Quantize, KeepsTheLayersThatAreNamed) {
  Graph graph = two_layers();
  optimize(graph);
  const auto thresholds = ranges(graph, noise_tensor(graph.input_type(0).shape, 3));
  Graph kept = graph;
  quantize(kept, thresholds, {.keep = {"first"}, .unsigned_input = false});
  EXPECT_FALSE(is_int8(kept, kept.nodes[0]));
  EXPECT_TRUE(is_int8(kept, kept.nodes[1]));
  EXPECT_FALSE(kept.value(kept.inputs[0].value).quantization);
  EXPECT_EQ(kept.value(kept.nodes[0].outputs[0]).quantization->type, DataType::kUInt8);
  EXPECT_THROW(quantize(kept, thresholds, {.keep = {"no such layer"}, .unsigned_input = false}),
               Error);
}

TEST(Quantize, NamesActivationsWithoutRange) {
  Graph graph = two_layers();
  optimize(graph);
  try {
    quantize(graph, {}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("input"), std::string::npos) << error.what();
  }
}

TEST(Quantize, RoundsBiasesToWhatIntegerSumsHold) {
  Graph graph = two_layers();
  optimize(graph);
  const auto bias_of = [](const Graph& of, std::size_t node) {
    return *constant_floats(of, of.nodes[node].inputs.at(2));
  };
  const Graph before = graph;
  quantize(graph, ranges(graph, noise_tensor(graph.input_type(0).shape, 3)), {});
  for (std::size_t node = 0; node < 2; ++node) {
    const auto rounded = bias_of(graph, node);
    const auto exact = bias_of(before, node);
    const auto& weights = graph.value(graph.nodes[node].inputs[1]).quantization->scales;
    const float input = graph.value(graph.nodes[node].inputs[0]).quantization->scales[0];
    for (std::size_t c = 0; c < rounded.size(); ++c) {
      const float step = input * weights[c];
      EXPECT_NEAR(rounded[c], exact[c], step * 0.501F);
      EXPECT_FLOAT_EQ(std::nearbyint(rounded[c] / step) * step, rounded[c]);
    }
  }
}

TEST(Quantize, HoldsTheInputUnsignedWhereToldSo) {
  Graph graph = two_layers();
  optimize(graph);
  const auto thresholds = ranges(graph, noise_tensor(graph.input_type(0).shape, 3));
  quantize(graph, thresholds, {.keep = {}, .unsigned_input = true});
  EXPECT_EQ(graph.value(graph.inputs[0].value).quantization->type, DataType::kUInt8);
}

/// x -> Q -> DQ -> Conv(DQ(int8 weights)), with scales as given; `nhwc`: behind a Transpose.
Graph explicit_conv(const Shape& activation_scales, const Shape& weight_scales, std::int64_t axis,
                    bool nhwc = false) {
  GraphBuilder g;
  const auto scales = [&](const Shape& shape) {
    return g.constant(Tensor::from<float>(
        shape, std::vector<float>(static_cast<std::size_t>(element_count(shape)), 0.02F)));
  };
  const ValueId x = nhwc
                        ? g.node("Transpose", {g.input({1, 6, 6, 4})}, {{"perm", Ints{0, 3, 1, 2}}})
                        : g.input({1, 4, 6, 6});
  const ValueId s = scales(activation_scales);
  const ValueId zero = g.constant(Tensor(DataType::kInt8, activation_scales));
  const ValueId q = g.node("QuantizeLinear", {x, s, zero}, {{"axis", std::int64_t{1}}});
  const ValueId dq = g.node("DequantizeLinear", {q, s, zero}, {{"axis", std::int64_t{1}}});
  Tensor weights(DataType::kInt8, {4, 4, 3, 3});
  for (std::int8_t& w : weights.mutable_values<std::int8_t>()) w = 3;
  const ValueId w =
      g.node("DequantizeLinear", {g.constant(weights), scales(weight_scales)}, {{"axis", axis}});
  return g.finish({g.node("Conv", {dq, w})});
}

TEST(AbsorbQdq, TakesScalesPerTensorAndPerOutputChannel) {
  for (const Shape& weight_scales : {Shape{}, Shape{4}}) {
    Graph graph = explicit_conv({}, weight_scales, 0);
    absorb_qdq(graph);
    optimize(graph);
    ASSERT_EQ(graph.nodes.size(), 1U);
    EXPECT_TRUE(is_int8(graph, graph.nodes[0]));
  }
}

TEST(AbsorbQdq, KeepsTheRoundingOfAnInputThatIsTransposed) {
  Graph graph = explicit_conv({}, {4}, 0, true);
  const Graph before = graph;
  absorb_qdq(graph);
  optimize(graph);
  ASSERT_EQ(graph.nodes.size(), 1U);
  EXPECT_TRUE(is_int8(graph, graph.nodes[0]));
  const Tensor input = noise_tensor(before.input_type(0).shape, 3);
  const auto a = execute(before, std::vector{input}).at(0);
  const auto b = execute(to_qdq(graph), std::vector{input}).at(0);
  EXPECT_LT(relative_error(a.values<float>(), b.values<float>()), 1e-5);
}

/// What PyTorch writes of a model with fake quantisation in 7 bits or converted to 8: integers that
/// are cast to their own type or clipped, several DequantizeLinear behind one QuantizeLinear,
/// factors behind a convolution whose weights are rounded, a rounded output.
Graph as_pytorch_exports() {
  GraphBuilder g;
  const auto level = [&](std::uint8_t x) {
    return g.constant(Tensor::from<std::uint8_t>({}, std::span<const std::uint8_t>(&x, 1)));
  };
  const ValueId scale = g.number(0.02F);
  const ValueId zero = level(64);
  const auto quantize_of = [&](ValueId x) { return g.node("QuantizeLinear", {x, scale, zero}); };
  const auto dequantize_of = [&](ValueId x) {
    return g.node("DequantizeLinear", {x, scale, zero});
  };
  const auto conv = [&](ValueId x, std::int8_t least) {
    Tensor weights(DataType::kInt8, {4, 4, 3, 3});
    std::int8_t next = least;
    for (std::int8_t& w : weights.mutable_values<std::int8_t>()) {
      w = next;
      next = static_cast<std::int8_t>(next > 120 ? least : next + 7);
    }
    const std::vector<float> scales{0.001F, 0.002F, 0.003F, 0.004F};
    const ValueId w =
        g.node("DequantizeLinear",
               {g.constant(weights), g.constant(Tensor::from<float>({4}, std::span(scales)))},
               {{"axis", std::int64_t{0}}});
    return g.node("Conv", {x, w}, {{"pads", Ints{1, 1, 1, 1}}});
  };
  const ValueId cast =
      g.node("Cast", {quantize_of(g.input({1, 4, 6, 6}))}, {{"to", std::int64_t{2}}});  // uint8
  const std::vector<float> factors{0.5F, -1.5F, 2, 1};
  const ValueId scaled =
      g.node("Div", {conv(dequantize_of(cast), -120),
                     g.constant(Tensor::from<float>({1, 4, 1, 1}, std::span(factors)))});
  const ValueId clipped = g.node("Clip", {quantize_of(scaled), kNoValue, level(127)});
  const ValueId sum = g.node("Add", {conv(dequantize_of(clipped), -128), dequantize_of(clipped)});
  return g.finish({dequantize_of(quantize_of(sum))});
}

TEST(AbsorbQdq, TakesWhatPytorchWrites) {
  const Graph before = as_pytorch_exports();
  Graph graph = before;
  absorb_qdq(graph);
  optimize(graph);
  std::size_t layers = 0;
  for (const Node& node : graph.nodes) {
    layers += is_int8(graph, node) ? 1 : 0;
    EXPECT_TRUE(is_int8(graph, node) || node.op->name == "Identity") << node.op->name;
  }
  EXPECT_EQ(layers, 2U);
  for (const unsigned seed : {3U, 4U, 5U}) {
    const Tensor input = noise_tensor(before.input_type(0).shape, seed);
    const auto a = execute(before, std::vector{input}).at(0);
    const auto b = execute(to_qdq(graph), std::vector{input}).at(0);
    const auto x = a.values<float>();
    const auto y = b.values<float>();
    std::size_t other = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      // Of the output's levels, the same or, where sums in another order meet a half, the next.
      EXPECT_NEAR(x[i], y[i], 0.0201F);
      other += std::fabs(x[i] - y[i]) > 0.001F ? 1 : 0;
    }
    EXPECT_LT(other, x.size() / 20);
  }
}

/// pytorch-quantization rounds what convolutions read and leaves the shortcut in floating point.
TEST(AbsorbQdq, RoundsForOneReaderAlone) {
  GraphBuilder g;
  const ValueId s = g.number(0.02F);
  const ValueId zero = g.constant(Tensor(DataType::kInt8, {}));
  const ValueId x = g.node("Relu", {g.input({1, 4, 6, 6})});
  const ValueId dq = g.node("DequantizeLinear", {g.node("QuantizeLinear", {x, s, zero}), s, zero});
  Tensor stored(DataType::kUInt8, {4, 4, 3, 3});  // uint8 with zero point 128 is int8.
  std::uint8_t next = 0;
  for (std::uint8_t& w : stored.mutable_values<std::uint8_t>()) w = next += 7;
  const std::uint8_t middle = 128;
  const ValueId w = g.node(
      "DequantizeLinear",
      {g.constant(stored), g.number(0.01F),
       g.constant(Tensor::from<std::uint8_t>({}, std::span<const std::uint8_t>(&middle, 1)))});
  const ValueId y = g.node("Conv", {dq, w}, {{"pads", Ints{1, 1, 1, 1}}});
  Graph graph = g.finish({g.node("Add", {y, x})});
  const Graph before = graph;
  absorb_qdq(graph);
  optimize(graph);
  std::size_t layers = 0;
  for (const Node& node : graph.nodes) {
    layers += is_int8(graph, node) ? 1 : 0;
    EXPECT_NE(node.op->name, "QuantizeLinear");
    EXPECT_NE(node.op->name, "DequantizeLinear");
  }
  EXPECT_EQ(layers, 1U);
  const Tensor input = noise_tensor(before.input_type(0).shape, 3);
  const auto a = execute(before, std::vector{input}).at(0);
  const auto b = execute(to_qdq(graph), std::vector{input}).at(0);
  EXPECT_LT(relative_error(a.values<float>(), b.values<float>()), 1e-5);
}

TEST(AbsorbQdq, LeavesOtherReadersOfAValueAlone) {
  GraphBuilder g;
  const auto pair = [&](ValueId x, float scale) {
    const ValueId s = g.constant(Tensor::from<float>({}, std::span<const float>(&scale, 1)));
    return g.node("DequantizeLinear", {g.node("QuantizeLinear", {x, s}), s});
  };
  const ValueId x = g.node("Sigmoid", {g.input({1, 64})});
  Graph graph = g.finish({g.node("Add", {pair(x, 0.1F), pair(x, 0.03F)})});
  const Graph before = graph;
  absorb_qdq(graph);
  const Tensor input = noise_tensor(before.input_type(0).shape, 3);
  const auto a = execute(before, std::vector{input}).at(0);
  const auto b = execute(to_qdq(graph), std::vector{input}).at(0);
  EXPECT_LT(relative_error(a.values<float>(), b.values<float>()), 1e-6);
}

TEST(AbsorbQdq, RefusesWhatIntegersCannotDo) {
  Graph channels = explicit_conv({4}, {4}, 0);
  Graph mixed = explicit_conv({}, {4}, 1);
  EXPECT_THROW(absorb_qdq(channels), Error);
  try {
    absorb_qdq(mixed);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("axis 1"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace hedge
