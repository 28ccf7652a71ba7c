// SPDX-License-Identifier: Apache-2.0
// Layers and nets in 8 bits against the reference executor on what they mean in plain operators
// (to_qdq).

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backends/cuda/cuda_net.h"
#include "backends/cuda/gpu_test.h"
#include "backends/cuda/plan.h"
#include "backends/integer_cases.h"
#include "graph/integer_layer.h"
#include "graph/passes/passes.h"
#include "graph/quantization.h"
#include "graph/reference_executor.h"
#include "hedge/error.h"
#include "quant/qdq.h"
#include "support/engines.h"
#include "support/nets.h"
#include "support/quantized.h"

namespace hedge::cuda {
namespace {

using test::GraphBuilder;
using test::Held;
using test::IntegerCase;
using test::Ints;

constexpr Held kHeld[] = {Held::kSigned, Held::kAsymmetric};
constexpr ElementKind kRests[] = {ElementKind::kHalf, ElementKind::kFloat32};

std::shared_ptr<const Plan> plan_of(const Graph& graph, ElementKind rest = ElementKind::kHalf) {
  return compile(graph, {.kind = rest, .tactics = {}});
}

/// Steps whose products are of bytes.
std::int64_t integer_steps(const Plan& plan) {
  return std::ranges::count_if(plan.steps, [](const Step& step) {
    return step.precision == "int8" && step.multiply_accumulates > 0;
  });
}

std::vector<std::vector<float>> results_of(const std::shared_ptr<const Plan>& plan,
                                           const Tensor& input) {
  const auto context = new_context(load_plan(plan));
  (void)test::run(*context, input.values<float>());
  return test::run(*context, input.values<float>());  // The arena must not leak.
}

std::string text_of(const Plan& plan) {
  std::string text;
  for (const Step& step : plan.steps) text += step.kernel + " (" + step.precision + ")\n";
  return text;
}

TEST(CudaIntegerPlans, HaveEveryIntegerLayer) {
  for (const Held held : kHeld) {
    for (const IntegerCase& c : test::integer_cases()) {
      const Graph graph = test::layer_of(c, held).graph;
      for (const ElementKind rest : kRests) {
        SCOPED_TRACE(c.name);
        const auto plan = plan_of(graph, rest);
        EXPECT_EQ(integer_steps(*plan), c.integer_layers) << text_of(*plan);
        EXPECT_TRUE(plan->emulated_layers.empty());
      }
    }
  }
}

TEST(CudaIntegerPlans, HaveEveryIntegerLayerOfNets) {
  for (const auto& [name, make] : test::small_nets()) {
    for (const bool keep : {false, true}) {
      QuantizeOptions options;
      if (keep) options.keep = {"first", "last"};
      const Graph graph = test::quantized(make(), options);
      const auto layers = std::ranges::count_if(
          graph.nodes, [&](const Node& node) { return is_int8(graph, node); });
      for (const ElementKind rest : kRests) {
        SCOPED_TRACE(name + (keep ? " but the first and last layer" : ""));
        const auto plan = plan_of(graph, rest);
        EXPECT_EQ(integer_steps(*plan), layers) << text_of(*plan);
        EXPECT_TRUE(plan->emulated_layers.empty());
        EXPECT_TRUE(plan->slow_layers.empty()) << text_of(*plan);
      }
    }
  }
}

/// From the caller's floats to scores, nothing is brought into another type or layout.
TEST(CudaIntegerPlans, OfAResidualNetNeedNoReorders) {
  for (const std::size_t net : {0, 1}) {
    const auto plan = plan_of(test::quantized(test::small_nets().at(net).second()));
    EXPECT_EQ(text_of(*plan).find("reorder"), std::string::npos) << text_of(*plan);
    EXPECT_NE(text_of(*plan).find("hedge:stem_int8"), std::string::npos) << text_of(*plan);
    for (const auto& [text, kind] : plan->convolutions) {
      EXPECT_EQ(kind.kind, ElementKind::kInt8) << text;
    }
  }
}

/// What moves by a table of positions lies as its reader wants it.
TEST(CudaIntegerPlans, MovedBytesNeedNoReorder) {
  const auto net = [] {
    GraphBuilder g;
    const ValueId x = g.conv(g.input({1, 16, 6, 6}), 16, 64);
    const ValueId y = g.node("DepthToSpace", {x}, {{"blocksize", std::int64_t{2}}});
    return g.finish({g.node("Flatten", {g.conv(y, 16, 8)})});
  };
  Graph floats = net();
  optimize(floats);
  for (const Graph& graph : {floats, test::quantized(net())}) {
    const auto plan = plan_of(graph);
    const auto gather = std::ranges::find_if(
        plan->steps, [](const Step& step) { return step.kernel == "DepthToSpace hedge:gather"; });
    ASSERT_NE(gather, plan->steps.end()) << text_of(*plan);
    ASSERT_NE(gather + 1, plan->steps.end());
    EXPECT_TRUE((gather + 1)->kernel.starts_with("Conv hedge:tensor_cores")) << text_of(*plan);
  }
}

TEST(CudaIntegerPlans, GiveLayersTheirOwnPrecisions) {
  const Graph graph = test::quantized(test::small_nets().at(1).second(), {.keep = {"first"}});
  std::string first;
  for (const Node& node : graph.nodes) {
    if (first.empty() && node.op->name == "Conv") first = node.name;
  }
  const auto plan = compile(
      graph,
      {.kind = ElementKind::kHalf, .tactics = {}, .layers = {{first, ElementKind::kBfloat16}}});
  for (const Step& step : plan->steps) {
    if (step.multiply_accumulates == 0) continue;
    EXPECT_EQ(step.precision, step.name == first ? "bf16" : "int8") << step.name;
  }
}

TEST(CudaIntegerPlans, SayWhatIsEmulated) {
  GraphBuilder g;
  Graph graph = g.finish({g.conv(g.input({1, 4, 5, 5}), 4, 8)});
  Value& weights = graph.value(graph.nodes[0].inputs[1]);
  weights.quantization = {.scales = {0.01F}, .axis = 0, .zero_point = 3};
  graph.value(graph.inputs[0].value).quantization = {.scales = {0.02F}, .axis = 0, .zero_point = 0};
  const auto plan = plan_of(graph);
  ASSERT_EQ(plan->emulated_layers.size(), 1U);
  EXPECT_NE(warnings_of(*plan).at(0).find("not symmetric"), std::string::npos);
  EXPECT_EQ(integer_steps(*plan), 0);
}

TEST(CudaIntegerPlans, RefuseAScaleForEachChannelOfActivations) {
  GraphBuilder g;
  Graph graph = g.finish({g.conv(g.input({1, 2, 5, 5}), 2, 8)});
  graph.value(graph.inputs[0].value).quantization = {
      .scales = {0.02F, 0.03F}, .axis = 1, .zero_point = 0};
  EXPECT_THROW((void)plan_of(graph), Error);
}

class CudaIntegers : public test::GpuTest {
 protected:
  /// Roundings that lie at a half may fall to either side: one step at most, and seldom.
  static void check_steps(std::span<const float> result, std::span<const float> expected,
                          float step) {
    ASSERT_EQ(result.size(), expected.size());
    std::size_t differ = 0;
    for (std::size_t i = 0; i < result.size(); ++i) {
      const float steps = std::fabs(result[i] - expected[i]) / step;
      EXPECT_LT(steps, 1.01F) << "at " << i << ": " << result[i] << ", not " << expected[i];
      differ += steps > 0.01F ? 1 : 0;
    }
    EXPECT_LE(differ, std::max<std::size_t>(1, result.size() / 50));
  }
};

TEST_F(CudaIntegers, LayersAgreeWithTheirMeaning) {
  for (const Held held : kHeld) {
    for (const IntegerCase& c : test::integer_cases()) {
      const test::IntegerLayer layer = test::layer_of(c, held);
      const auto expected = execute(to_qdq(layer.graph), std::vector{layer.input}).at(0);
      for (const ElementKind rest : kRests) {
        SCOPED_TRACE(c.name + (held == Held::kSigned ? "" : " asymmetric") +
                     (rest == ElementKind::kHalf ? " fp16" : " fp32"));
        check_steps(results_of(plan_of(layer.graph, rest), layer.input).at(0),
                    expected.values<float>(), layer.step);
      }
    }
  }
}

/// Every source at its largest and every weight too, of one sign: sums are exact to the last bit.
TEST_F(CudaIntegers, SumsAreExact) {
  for (const std::int64_t group : {1, 4, 32}) {
    const test::LargestSums largest = test::largest_sums(group);
    const auto plan = plan_of(largest.graph, ElementKind::kFloat32);
    EXPECT_EQ(integer_steps(*plan), 1);
    const auto results = results_of(plan, largest.input);
    for (const float result : results.at(0)) EXPECT_EQ(result, largest.sum);
  }
}

/// As in models with Q/DQ nodes around each Add.
TEST_F(CudaIntegers, AddBytes) {
  for (const Held held : kHeld) {
    GraphBuilder g;
    const ValueId x = g.input({1, 24, 6, 5});
    const ValueId y = g.node("Relu", {x});
    const ValueId sum = g.node("Add", {g.node("MaxPool", {x}, {{"kernel_shape", Ints{1, 1}}}), y});
    Graph graph = g.finish({g.node("Identity", {sum})});
    graph.nodes[2].post_ops = {{.kind = PostOp::Kind::kRelu}};
    const Tensor input = test::noise_tensor({1, 24, 6, 5}, 3);
    graph = test::in_bytes(graph, input, held);
    const auto expected = execute(to_qdq(graph), std::vector{input}).at(0);
    check_steps(results_of(plan_of(graph), input).at(0), expected.values<float>(),
                graph.value(sum).quantization->scales[0]);
  }
}

/// Pools and means that leave 8 bits, that change their scale, and that are part of a head.
TEST_F(CudaIntegers, PoolsAndHeads) {
  for (const Held held : kHeld) {
    for (const std::string op : {"AveragePool", "GlobalAveragePool", "MaxPool"}) {
      for (const bool head : {false, true}) {
        SCOPED_TRACE(op + (head ? " and a product" : ""));
        GraphBuilder g;
        const ValueId x = g.node("Relu", {g.conv(g.input({2, 3, 7, 6}), 3, 24)});
        const bool global = op == "GlobalAveragePool";
        ValueId y = global ? g.node(op, {x})
                           : g.node(op, {x},
                                    {{"kernel_shape", Ints{3, 2}},
                                     {"strides", Ints{2, 2}},
                                     {"pads", Ints{1, 0, 1, 0}}});
        const std::int64_t count = global ? 24 : 24 * 4 * 3;
        y = g.node("Flatten", {y});
        if (head) y = g.node("Gemm", {y, g.weights({count, 10}), g.weights({10})});
        Graph graph = g.finish({y});
        optimize(graph);
        const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
        graph = test::in_bytes(graph, input, held);
        const auto expected = execute(to_qdq(graph), std::vector{input}).at(0);
        const auto plan = plan_of(graph);
        EXPECT_EQ(text_of(*plan).find("hedge:head") != std::string::npos, head && global);
        EXPECT_LT(test::relative_error(results_of(plan, input).at(0), expected.values<float>()),
                  0.02);
      }
    }
  }
}

TEST_F(CudaIntegers, NetsAgreeWithTheirMeaning) {
  for (const auto& [name, make] : test::small_nets()) {
    for (const bool keep : {false, true}) {
      QuantizeOptions options;
      if (keep) options.keep = {"first", "last"};
      const Graph graph = test::quantized(make(), options);
      const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
      const auto expected = execute(to_qdq(graph), std::vector{input});
      for (const ElementKind rest : kRests) {
        SCOPED_TRACE(name + (keep ? " but the first and last layer" : ""));
        const auto results = results_of(plan_of(graph, rest), input);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          EXPECT_LT(test::relative_error(results[i], expected[i].values<float>()), 0.03);
        }
      }
    }
  }
}

/// The whole way: build with tactics timed, sections, load; the same bits each time.
TEST_F(CudaIntegers, KeepTheirClassThroughAnEngine) {
  const Graph graph = test::quantized(test::small_nets().at(1).second());
  const Graph meaning = to_qdq(graph);
  const auto context = test::engine_of(graph, "int8", 1, "cuda")->create_context({});
  test::expect_same_classes(*context, meaning);
}

/// Explicit quantisation holds whatever the precision of the rest is.
TEST_F(CudaIntegers, RunModelsWithExplicitNodes) {
  Graph graph = to_qdq(test::quantized(test::small_nets().at(1).second()));
  const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
  const auto expected = execute(graph, std::vector{input}).at(0);
  absorb_qdq(graph);
  optimize(graph);
  for (const std::string precision : {"int8", "fp32", "bf16"}) {
    const auto context = test::engine_of(graph, precision, 0, "cuda")->create_context({});
    EXPECT_LT(test::relative_error(test::run(*context, input.values<float>()).at(0),
                                   expected.values<float>()),
              0.03)
        << precision;
  }
}

TEST_F(CudaIntegers, AModelWithoutThemIsNoInt8Engine) {
  const Graph graph = test::optimized(test::small_nets().front().second());
  EXPECT_THROW((void)test::engine_of(graph, "int8", 0, "cuda"), Error);
}

/// Neighbours of all precisions, as --best chooses them.
TEST_F(CudaIntegers, LayersOfAllPrecisionsMix) {
  const Graph graph = test::quantized(test::small_nets().at(1).second(), {.keep = {"first"}});
  const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
  const auto expected = execute(to_qdq(graph), std::vector{input}).at(0);
  std::vector<std::string> layers;
  for (const Node& node : graph.nodes) layers.push_back(node.name);
  for (const std::string precision : {"fp32", "bf16", "fp16", "tf32"}) {
    BuildOptions options;
    options.precision = "best";
    options.optimization_level = 0;
    for (std::size_t i = 0; i < layers.size(); i += 2) options.layers[layers[i]] = precision;
    BackendEngine built = require_backend("cuda").build(graph, options);
    EngineContainer container = test::container_of(graph, "best", 0, "cuda");
    container.sections = std::move(built.sections);
    const auto context = make_engine(std::move(container))->create_context({});
    EXPECT_LT(test::relative_error(test::run(*context, input.values<float>()).at(0),
                                   expected.values<float>()),
              0.05)
        << precision;
  }
}

}  // namespace
}  // namespace hedge::cuda
