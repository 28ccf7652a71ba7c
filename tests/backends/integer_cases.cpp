// SPDX-License-Identifier: Apache-2.0
#include "backends/integer_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "graph/passes/passes.h"
#include "graph/quantization.h"
#include "graph/query.h"
#include "graph/reference_executor.h"
#include "support/engines.h"
#include "support/nets.h"

namespace hedge::test {
namespace {

Quantization activation_quantization(std::span<const float> values, Held held) {
  float low = 0;
  float high = 1e-3F;
  for (const float x : values) {
    low = std::min(low, x);
    high = std::max(high, x);
  }
  if (held == Held::kSigned) {
    const float largest = std::max(high, -low);
    return low < 0 ? Quantization{.type = DataType::kInt8, .scales = {largest / 127}}
                   : Quantization{.type = DataType::kUInt8, .scales = {largest / 255}};
  }
  const float scale = (high - low) / 255;
  return {.type = DataType::kUInt8,
          .scales = {scale},
          .zero_point = static_cast<std::int32_t>(std::lround(-low / scale))};
}

}  // namespace

Graph in_bytes(Graph graph, const Tensor& input, Held held) {
  Graph observed = graph;
  observed.outputs.clear();
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    const Value& value = graph.values[i];
    const auto id = static_cast<ValueId>(i);
    const bool output = std::ranges::find(graph.outputs, id) != graph.outputs.end();
    const GraphIndex index(graph);
    if (!value.constant && !output && value.type.type == DataType::kFloat32 &&
        (index.producer[i] >= 0 || id == graph.inputs[0].value)) {
      observed.outputs.push_back(id);
    }
  }
  const auto values = execute(observed, std::vector{input});
  for (std::size_t i = 0; i < values.size(); ++i) {
    graph.value(observed.outputs[i]).quantization =
        activation_quantization(values[i].values<float>(), held);
  }
  // Views and pools keep the scale of what they read.
  for (const Node& node : graph.nodes) {
    Value& result = graph.value(node.outputs[0]);
    const bool moves = is_op(node, "Flatten") || is_op(node, "MaxPool") || is_op(node, "Reshape") ||
                       is_op(node, "Transpose");
    if (moves && result.quantization)
      result.quantization = graph.value(node.inputs[0]).quantization;
  }
  for (Node& node : graph.nodes) {
    if (!is_op(node, "Conv") && !is_op(node, "Gemm") && !is_op(node, "MatMul")) continue;
    const Tensor weights = *graph.value(node.inputs[1]).constant;
    const Shape& shape = weights.shape();
    const std::int64_t axis =
        is_op(node, "Conv") || node.attributes.get_int("transB", 0) != 0 ? 0 : 1;
    std::int64_t inner = 1;
    for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < shape.size(); ++i) {
      inner *= shape[i];
    }
    const std::int64_t channels = shape[static_cast<std::size_t>(axis)];
    Quantization q{.scales = std::vector<float>(static_cast<std::size_t>(channels), 1e-6F),
                   .axis = axis};
    const auto w = weights.values<float>();
    for (std::size_t i = 0; i < w.size(); ++i) {
      float& scale = q.scales[i / static_cast<std::size_t>(inner) % q.scales.size()];
      scale = std::max(scale, std::fabs(w[i]) / 127);
    }
    node.inputs[1] = graph.add_constant("w", dequantize_tensor(quantize_tensor(weights, q), q));
    graph.value(node.inputs[1]).quantization = q;
  }
  return graph;
}

std::vector<IntegerCase> integer_cases() {
  std::vector<IntegerCase> all;
  const auto conv = [&](const std::string& name, Shape in, std::int64_t out, std::int64_t kernel,
                        std::int64_t stride, std::int64_t group) {
    all.push_back({name, [=](GraphBuilder& g) {
                     return g.conv(g.input(in), in[1], out, kernel, stride, group);
                   }});
  };
  conv("3 channels", {1, 3, 9, 8}, 16, 3, 1, 1);
  conv("16 channels", {1, 16, 9, 8}, 16, 3, 1, 1);
  conv("pointwise", {1, 24, 5, 7}, 40, 1, 1, 1);
  conv("strided", {1, 16, 9, 9}, 32, 3, 2, 1);
  conv("odd channels", {2, 10, 6, 6}, 13, 3, 1, 1);
  conv("5x5", {1, 8, 9, 9}, 8, 5, 2, 1);
  conv("grouped", {1, 32, 7, 7}, 32, 3, 1, 2);
  conv("groups of few", {1, 12, 7, 7}, 18, 3, 1, 3);
  conv("depthwise", {1, 32, 9, 9}, 32, 3, 1, 32);
  conv("depthwise strided", {1, 20, 9, 9}, 20, 3, 2, 20);
  all.push_back({"no bias, no padding", [](GraphBuilder& g) {
                   return g.node("Conv", {g.input({1, 16, 6, 6}), g.weights({16, 16, 3, 3})});
                 }});
  all.push_back({"dilated", [](GraphBuilder& g) {
                   return g.node("Conv", {g.input({1, 16, 9, 9}), g.weights({16, 16, 3, 3})},
                                 {{"pads", Ints{2, 2, 2, 2}}, {"dilations", Ints{2, 2}}});
                 }});
  const auto activated = [&](const std::string& op,
                             std::vector<std::pair<std::string, Attributes::Value>> attributes) {
    all.push_back({op, [=](GraphBuilder& g) {
                     return g.node(op, {g.conv(g.input({1, 16, 8, 8}), 16, 16)}, attributes);
                   }});
  };
  activated("Relu", {});
  activated("LeakyRelu", {{"alpha", 0.2F}});
  activated("Sigmoid", {});
  activated("HardSwish", {});
  all.push_back({"Clip", [](GraphBuilder& g) {
                   return g.node("Clip", {g.conv(g.input({1, 16, 8, 8}), 16, 16), g.number(-0.5F),
                                          g.number(1.5F)});
                 }});
  const auto residual = [&](const std::string& name, bool relu, bool positive) {
    all.push_back({name,
                   [=](GraphBuilder& g) {
                     ValueId x = g.conv(g.input({1, 16, 8, 8}), 16, 16);
                     if (positive) x = g.node("Relu", {x});
                     const ValueId y = g.node("Relu", {g.conv(x, 16, 16)});
                     const ValueId sum = g.node("Add", {g.conv(y, 16, 16), x});
                     return relu ? g.node("Relu", {sum}) : sum;
                   },
                   3});
  };
  residual("residual", false, false);
  residual("residual of uint8", false, true);
  residual("residual, relu", true, true);
  residual("residual of int8, relu", true, false);
  all.push_back({"residual read again",
                 [](GraphBuilder& g) {
                   const ValueId x = g.node("Relu", {g.conv(g.input({1, 8, 5, 5}), 8, 8)});
                   const ValueId y = g.node("Relu", {g.node("Add", {g.conv(x, 8, 8), x})});
                   return g.node("Relu", {g.node("Add", {g.conv(y, 8, 8), x})});
                 },
                 3});
  all.push_back({"residual behind an activation",
                 [](GraphBuilder& g) {
                   const ValueId x = g.conv(g.input({1, 8, 5, 5}), 8, 8);
                   return g.node("Add", {g.node("Relu", {g.conv(x, 8, 8)}), x});
                 },
                 2});
  all.push_back({"constant operand",
                 [](GraphBuilder& g) {
                   const ValueId x = g.conv(g.input({1, 8, 5, 5}), 8, 8);
                   return g.node("Add", {x, g.constant(noise_tensor({1, 8, 5, 5}, 5))});
                 },
                 1});
  all.push_back({"max pool",
                 [](GraphBuilder& g) {
                   const ValueId x = g.conv(g.input({1, 16, 8, 8}), 16, 16);
                   return g.conv(g.node("MaxPool", {x},
                                        {{"kernel_shape", Ints{3, 3}},
                                         {"strides", Ints{2, 2}},
                                         {"pads", Ints{1, 1, 1, 1}}}),
                                 16, 8);
                 },
                 2});
  all.push_back({"concat",
                 [](GraphBuilder& g) {
                   const ValueId x = g.input({1, 16, 6, 6});
                   const ValueId y = g.node("Concat", {g.conv(x, 16, 16), g.conv(x, 16, 10)},
                                            {{"axis", std::int64_t{1}}});
                   return g.conv(y, 26, 8);
                 },
                 3});
  all.push_back({"float layer between",
                 [](GraphBuilder& g) {
                   const ValueId x = g.conv(g.input({1, 16, 6, 6}), 16, 16);
                   return g.conv(g.node("Softplus", {x}), 16, 8);
                 },
                 2});
  const auto gemm = [&](const std::string& name, std::int64_t rows, std::int64_t transposed) {
    all.push_back({name, [=](GraphBuilder& g) {
                     const Shape w = transposed != 0 ? Shape{10, 64} : Shape{64, 10};
                     return g.node("Gemm", {g.input({rows, 64}), g.weights(w), g.weights({10})},
                                   {{"transB", transposed}, {"alpha", 0.5F}, {"beta", 2.F}});
                   }});
  };
  gemm("gemm", 1, 0);
  gemm("gemm transposed", 3, 1);
  for (const bool relu : {false, true}) {
    all.push_back(
        {relu ? "rows times a matrix, bias, relu" : "rows times a matrix", [=](GraphBuilder& g) {
           const ValueId x = g.node("MatMul", {g.input({2, 5, 24}), g.weights({24, 36})});
           return relu ? g.node("Relu", {g.node("Add", {x, g.weights({36})})}) : x;
         }});
  }
  all.push_back({"global average",
                 [](GraphBuilder& g) {
                   const ValueId x = g.node("Relu", {g.conv(g.input({2, 3, 7, 7}), 3, 70)});
                   const ValueId flat = g.node("Flatten", {g.node("GlobalAveragePool", {x})});
                   return g.node("Gemm", {flat, g.weights({70, 10}), g.weights({10})});
                 },
                 2});
  return all;
}

IntegerLayer layer_of(const IntegerCase& c, Held held) {
  GraphBuilder g;
  const ValueId result = c.layer(g);
  Graph graph = g.finish({g.node("Identity", {result})});
  // Fused by hand: optimize() would take away the Identity.
  Graph fused = graph;
  fused.outputs = {result};
  optimize(fused);
  Node identity = graph.nodes.back();
  identity.inputs = {fused.outputs[0]};
  identity.outputs = {fused.add_value("leaves", fused.value(fused.outputs[0]).type)};
  fused.outputs = identity.outputs;
  fused.nodes.push_back(identity);
  infer_shapes(fused);
  IntegerLayer layer;
  layer.input = noise_tensor(fused.input_type(0).shape, 3);
  layer.graph = in_bytes(fused, layer.input, held);
  layer.step = layer.graph.value(identity.inputs[0]).quantization->scales[0];
  return layer;
}

LargestSums largest_sums(std::int64_t group) {
  GraphBuilder g;
  const ValueId x = g.input({1, 32, 6, 6});
  const ValueId w = g.constant(
      Tensor::from<float>({32, 32 / group, 3, 3},
                          std::vector<float>(static_cast<std::size_t>(32 * 32 / group * 9), 127)));
  LargestSums largest;
  largest.graph = g.finish({g.node("Conv", {x, w}, {{"group", group}})});
  largest.graph.value(x).quantization = {
      .type = DataType::kUInt8, .scales = {1}, .axis = 0, .zero_point = 0};
  largest.graph.value(w).quantization = {.scales = {1}, .axis = 0, .zero_point = 0};
  largest.input = Tensor::from<float>({1, 32, 6, 6}, std::vector<float>(std::size_t{32} * 36, 255));
  largest.sum = 255.F * 127 * 9 * static_cast<float>(32 / group);
  return largest;
}

void expect_same_classes(ExecutionContext& context, const Graph& meaning) {
  int agree = 0;
  constexpr int kImages = 50;
  for (int i = 0; i < kImages; ++i) {
    const Tensor input =
        noise_tensor(meaning.input_type(0).shape, static_cast<std::uint32_t>(100 + i));
    const auto scores = run(context, input.values<float>()).at(0);
    EXPECT_EQ(scores, run(context, input.values<float>()).at(0));
    const Tensor expected = execute(meaning, std::vector{input}).at(0);
    const auto wanted = expected.values<float>();
    EXPECT_LT(relative_error(scores, wanted), 0.03);
    agree += std::ranges::max_element(scores) - scores.begin() ==
                     std::ranges::max_element(wanted) - wanted.begin()
                 ? 1
                 : 0;
  }
  EXPECT_GE(agree, kImages - 1);
}

}  // namespace hedge::test
