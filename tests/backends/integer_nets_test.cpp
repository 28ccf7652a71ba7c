// SPDX-License-Identifier: Apache-2.0
// Whole INT8 nets by the cpu backend against the reference executor on what they mean in plain
// operators (to_qdq).

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "backends/integer_cases.h"
#include "backends/integer_plans.h"
#include "backends/kernel_text.h"
#include "graph/passes/passes.h"
#include "graph/reference_executor.h"
#include "quant/qdq.h"
#include "quant/quantize.h"
#include "support/engines.h"
#include "support/nets.h"
#include "support/quantized.h"

namespace hedge::cpu {
namespace {

/// Whole nets, with and without layers that stay in floating point.
TEST(IntegerNets, AgreeWithTheirMeaning) {
  for (const auto& [name, make] : test::small_nets()) {
    for (const bool keep : {false, true}) {
      SCOPED_TRACE(name + (keep ? " but the first and last layer" : ""));
      QuantizeOptions options;
      if (keep) options.keep = {"first", "last"};
      const Graph graph = test::quantized(make(), options);
      const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
      const auto expected = execute(to_qdq(graph), std::vector{input});
      const auto plan = compile(graph, {});
      const auto layers = std::ranges::count_if(
          graph.nodes, [&](const Node& node) { return is_int8(graph, node); });
      EXPECT_EQ(integer_layers(*plan), layers);
      EXPECT_TRUE(plan->emulated_layers.empty());
#if defined(__aarch64__)
      const bool fast = name != "gates";  // Sigmoid and its kin, by oneDNN's reference there.
#else
      const bool fast = true;
#endif
      for (const Step& step : plan->steps) {
        EXPECT_TRUE(!fast || test::is_fast(step.kernel)) << step.kernel;
      }
      const auto results = run(plan, input);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_LT(test::relative_error(results[i], expected[i].values<float>()), 0.02);
      }
    }
  }
}

/// What is kept is computed in the type of the plan.
TEST(IntegerNets, LeaveTheRestToBf16) {
  if (effective_isa_name().find("bf16") == std::string::npos &&
      effective_isa_name().find("amx") == std::string::npos) {
    GTEST_SKIP() << "no bf16 here";
  }
  QuantizeOptions options;
  options.keep = {"first"};
  const Graph graph = test::quantized(test::small_nets().at(1).second(), options);
  const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
  PlanOptions rest;
  rest.precision = dnnl::memory::data_type::bf16;
  const auto plan = compile(graph, rest);
  EXPECT_EQ(integer_layers(*plan), 4);
  const auto expected = execute(to_qdq(graph), std::vector{input});
  EXPECT_LT(test::relative_error(run(plan, input).at(0), expected[0].values<float>()), 0.05);
}

/// By oneDNN's layers and by our own: all of a residual net lies in NHWC.
TEST(IntegerNets, NeedNoReorders) {
  for (const std::size_t net : {0, 1}) {
    const Graph graph = test::quantized(test::small_nets().at(net).second());
    PlanOptions own;
    for (const auto& [kind, implementations] : convolution_tactics(graph, {})) {
      for (const std::string& implementation : implementations) {
        if (implementation.starts_with("hedge:int8")) own.tactics[kind] = implementation;
      }
    }
    for (const PlanOptions& options : {PlanOptions{}, own}) {
      const auto plan = compile(graph, options);
      std::size_t convolutions = 0;
      for (const Step& step : plan->steps) {
        EXPECT_FALSE(step.kernel.starts_with("reorder")) << step.name;
        if (!step.kernel.starts_with("Conv")) continue;
        ++convolutions;
        EXPECT_EQ(step.precision, "int8") << step.name;
        if (!options.tactics.empty()) {
          EXPECT_TRUE(step.kernel.starts_with("Conv hedge:int8_igemm")) << step.kernel;
        }
      }
      EXPECT_EQ(convolutions, net == 0 ? 3U : 4U);
    }
  }
}

/// The whole way: build, sections, load.
TEST(IntegerNets, KeepTheirClassThroughAnEngine) {
  const Graph graph = test::quantized(test::small_nets().at(1).second());
  const Graph meaning = to_qdq(graph);
  const auto engine = test::engine_of(graph, "int8");
  const auto context = engine->create_context({});
  test::expect_same_classes(*context, meaning);
}

/// Explicit quantisation holds whatever the precision of the rest is.
TEST(IntegerNets, RunModelsWithExplicitNodesInIntegers) {
  const Graph graph = test::quantized(test::small_nets().at(1).second());
  Graph again = to_qdq(graph);
  absorb_qdq(again);
  optimize(again);
  EXPECT_EQ(integer_layers(*compile(again, {})), integer_layers(*compile(graph, {})));
  const auto layers =
      require_backend("cpu")
          .build(again,
                 {.precision = "fp32", .optimization_level = 0, .threads = 1, .timing_cache = {}})
          .layer_choices;
  EXPECT_TRUE(std::any_of(layers.begin(), layers.end(),
                          [](const auto& layer) { return layer.at("precision") == "int8"; }));
}

}  // namespace
}  // namespace hedge::cpu
