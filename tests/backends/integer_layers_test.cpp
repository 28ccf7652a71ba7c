// SPDX-License-Identifier: Apache-2.0
// INT8 layers of the cpu backend against the reference executor on what they mean in plain
// operators (to_qdq).

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "backends/cpu/cpu_context.h"
#include "backends/cpu/plan.h"
#include "backends/integer_cases.h"
#include "backends/integer_plans.h"
#include "backends/kernel_text.h"
#include "graph/quantization.h"
#include "graph/reference_executor.h"
#include "hedge/error.h"
#include "quant/qdq.h"
#include "quant/quantize.h"
#include "support/engines.h"
#include "support/nets.h"
#include "support/quantized.h"

namespace hedge::cpu {
namespace {

using test::GraphBuilder;
using test::Held;
using test::in_bytes;
using test::IntegerCase;
using test::Ints;

class IntegerLayersHeld : public testing::TestWithParam<Held> {};

/// Roundings that lie at a half may fall to either side: one step at most, and seldom.
TEST_P(IntegerLayersHeld, AgreeWithTheirMeaning) {
  for (const IntegerCase& c : test::integer_cases()) {
    const test::IntegerLayer layer = test::layer_of(c, GetParam());
    for (const int threads : {1, 2}) {
      SCOPED_TRACE(c.name + " threads " + std::to_string(threads));
      PlanOptions options;
      options.threads = threads;
      const auto plan = compile(layer.graph, options);
      EXPECT_EQ(integer_layers(*plan), c.integer_layers)
          << (plan->emulated_layers.empty() ? "" : plan->emulated_layers[0].reason);
      const auto expected = execute(to_qdq(layer.graph), std::vector{layer.input}).at(0);
      const auto result = run(plan, layer.input).at(0);
      const auto values = expected.values<float>();
      ASSERT_EQ(result.size(), values.size());
      std::size_t differ = 0;
      for (std::size_t i = 0; i < result.size(); ++i) {
        const float steps = std::fabs(result[i] - values[i]) / layer.step;
        EXPECT_LT(steps, 1.01F) << "at " << i << ": " << result[i] << ", not " << values[i];
        differ += steps > 0.01F ? 1 : 0;
      }
      EXPECT_LE(differ, std::max<std::size_t>(1, result.size() / 50));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Activations, IntegerLayersHeld,
                         testing::Values(Held::kSigned, Held::kAsymmetric), [](const auto& info) {
                           return info.param == Held::kSigned ? "Symmetric" : "Asymmetric";
                         });

/// What no kernel does in integers is right all the same, and said.
TEST(IntegerLayers, WithAsymmetricWeightsAreEmulatedAndSaySo) {
  GraphBuilder g;
  Graph graph = g.finish({g.conv(g.input({1, 4, 5, 5}), 4, 8)});
  Value& weights = graph.value(graph.nodes[0].inputs[1]);
  weights.quantization = {.scales = {0.01F}, .axis = 0, .zero_point = 3};
  weights.constant = dequantize_tensor(quantize_tensor(*weights.constant, *weights.quantization),
                                       *weights.quantization);
  graph.value(graph.inputs[0].value).quantization = {.scales = {0.02F}, .axis = 0, .zero_point = 0};
  const Tensor input = test::noise_tensor({1, 4, 5, 5}, 3);
  const auto plan = compile(graph, {});
  ASSERT_EQ(plan->emulated_layers.size(), 1U);
  EXPECT_NE(warnings_of(*plan).at(0).find("not symmetric"), std::string::npos);
  EXPECT_EQ(integer_layers(*plan), 0);
  const auto expected = execute(to_qdq(graph), std::vector{input}).at(0);
  EXPECT_LT(test::relative_error(run(plan, input).at(0), expected.values<float>()), 1e-5);
}

/// More products than 32 bits hold the sum of.
TEST(IntegerLayers, WhoseSumsAreTooLongAreEmulated) {
  constexpr std::int64_t kInputs = 70'000;
  GraphBuilder g;
  const ValueId x = g.input({1, kInputs});
  const ValueId w =
      g.constant(Tensor::from<float>({kInputs, 1}, std::vector<float>(std::size_t{kInputs}, 127)));
  Graph graph = g.finish({g.node("Gemm", {x, w})});
  graph.value(x).quantization = {
      .type = DataType::kUInt8, .scales = {1}, .axis = 0, .zero_point = 0};
  graph.value(w).quantization = {.scales = {1}, .axis = 0, .zero_point = 0};
  const auto plan = compile(graph, {});
  ASSERT_EQ(plan->emulated_layers.size(), 1U);
  EXPECT_NE(plan->emulated_layers[0].reason.find("32 bits"), std::string::npos);
  const auto results =
      run(plan, Tensor::from<float>({1, kInputs}, std::vector<float>(std::size_t{kInputs}, 255)));
  EXPECT_NEAR(results.at(0).at(0), 255.0 * 127 * kInputs, 1e6);
}

/// As in models with Q/DQ nodes around each Add.
TEST(IntegerLayers, AddBytes) {
  for (const Held held : {Held::kSigned, Held::kAsymmetric}) {
    for (const bool relu : {false, true}) {
      GraphBuilder g;
      const ValueId x = g.input({1, 16, 6, 5});
      const ValueId y = g.node("Relu", {x});
      const ValueId sum =
          g.node("Add", {g.node("MaxPool", {x}, {{"kernel_shape", Ints{1, 1}}}), y});
      Graph graph = g.finish({g.node("Identity", {sum})});
      if (relu) graph.nodes[2].post_ops = {{.kind = PostOp::Kind::kRelu}};
      const Tensor input = test::noise_tensor({1, 16, 6, 5}, 3);
      graph = in_bytes(graph, input, held);
      const auto plan = compile(graph, {});
      const auto adds = std::ranges::count_if(plan->steps, [](const Step& step) {
        return step.kernel.find("hedge:byte_add") != std::string::npos;
      });
      EXPECT_EQ(adds, 1);
      const auto expected = execute(to_qdq(graph), std::vector{input}).at(0);
      const auto results = run(plan, input);
      const float step = graph.value(sum).quantization->scales[0];
      std::size_t differ = 0;
      for (std::size_t i = 0; i < results[0].size(); ++i) {
        const float error = std::fabs(results[0][i] - expected.values<float>()[i]);
        EXPECT_LE(error, 1.01F * step);
        differ += error > 0.01F * step ? 1 : 0;
      }
      EXPECT_LE(differ, 2U);
    }
  }
}

TEST(IntegerLayers, WithAScaleForEachChannelOfActivationsAreRefused) {
  GraphBuilder g;
  Graph graph = g.finish({g.conv(g.input({1, 2, 5, 5}), 2, 8)});
  graph.value(graph.inputs[0].value).quantization = {
      .scales = {0.02F, 0.03F}, .axis = 1, .zero_point = 0};
  EXPECT_THROW((void)compile(graph, {}), Error);
}

/// Every source at its largest and every weight at its largest, with one sign: on a CPU without
/// VNNI the instruction for bytes would saturate.
TEST(IntegerLayers, SaturateNowhere) {
  for (const std::int64_t group : {1, 32}) {
    const test::LargestSums largest = test::largest_sums(group);
    const auto plan = compile(largest.graph, {});
    EXPECT_EQ(integer_layers(*plan), 1);
    const auto results = run(plan, largest.input);
    for (const float result : results.at(0)) EXPECT_EQ(result, largest.sum);
  }
}

}  // namespace
}  // namespace hedge::cpu
