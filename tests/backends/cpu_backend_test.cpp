// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/reference_executor.h"
#include "support/engines.h"
#include "support/nets.h"

namespace hedge {
namespace {

using test::engine_of;
using test::optimized;
using test::run;

class CpuBackend : public testing::TestWithParam<std::size_t> {
 protected:
  Graph graph_ = optimized(test::small_nets().at(GetParam()).second());
};

TEST_P(CpuBackend, AgreesWithTheReferenceExecutor) {
  const Tensor input = test::noise_tensor(graph_.input_type(0).shape, 3);
  const auto expected = execute(graph_, std::vector<Tensor>{input});
  for (const int level : {0, 1}) {
    const auto context = engine_of(graph_, "fp32", level)->create_context({});
    for (int repetition = 0; repetition < 3;
         ++repetition) {  // The arena must not leak into the next run.
      const auto actual = run(*context, input.values<float>());
      ASSERT_EQ(actual.size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_LT(test::relative_error(actual[i], expected[i].values<float>()), 1e-4);
      }
    }
  }
}

TEST_P(CpuBackend, Bf16IsNear) {
  const Tensor input = test::noise_tensor(graph_.input_type(0).shape, 3);
  const auto expected = execute(graph_, std::vector<Tensor>{input});
  std::shared_ptr<const Engine> engine;
  try {
    engine = engine_of(graph_, "bf16");
  } catch (const Error& error) {
    ASSERT_NE(std::string(error.what()).find("--precision=fp32"), std::string::npos);
    GTEST_SKIP() << error.what();
  }
  const auto actual = run(*engine->create_context({}), input.values<float>());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LT(test::relative_error(actual[i], expected[i].values<float>()), 0.05);
  }
}

TEST_P(CpuBackend, BatchesEqualSingleImages) {
  const auto engine = engine_of(graph_, "fp32");
  const auto single = engine->create_context({});
  const auto batched = engine->create_context({.threads = 1, .batch = 3});
  const auto input = test::noise(batched->input().size(), 9);
  const auto together = run(*batched, input);
  const std::size_t image = single->input().size();
  ASSERT_EQ(batched->input().size(), 3 * image);
  for (std::size_t n = 0; n < 3; ++n) {
    const auto alone = run(*single, std::span(input).subspan(n * image, image));
    for (std::size_t i = 0; i < alone.size(); ++i) {
      const auto part = std::span(together[i]).subspan(n * alone[i].size(), alone[i].size());
      EXPECT_LT(test::relative_error(part, alone[i]), 1e-4);
    }
  }
}

TEST_P(CpuBackend, ThreadsDoNotChangeTheAnswer) {
  const auto engine = engine_of(graph_, "fp32");
  const auto one = engine->create_context({.threads = 1, .batch = 0});
  const auto two = engine->create_context({.threads = 2, .batch = 0});
  const auto input = test::noise(one->input().size(), 4);
  const auto expected = run(*one, input);
  const auto actual = run(*two, input);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LT(test::relative_error(actual[i], expected[i]), 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(SmallNets, CpuBackend,
                         testing::Range(std::size_t{0}, test::small_nets().size()),
                         [](const auto& info) {
                           std::string name = test::small_nets().at(info.param).first;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

TEST(CpuBackendRefusals, NameEverything) {
  const Backend& cpu = require_backend("cpu");
  const Graph good = optimized(test::small_nets().front().second());
  const auto refusal = [&](const Graph& graph, const std::string& precision) -> std::string {
    try {
      (void)cpu.build(
          graph,
          {.precision = precision, .optimization_level = 0, .threads = 1, .timing_cache = {}});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_NE(refusal(good, "int8").find("in 8 bits"), std::string::npos);
  EXPECT_NE(refusal(good, "tf32").find("--precision="), std::string::npos);
  const std::string fp16 = refusal(good, "fp16");
  EXPECT_TRUE(fp16 == "accepted" || fp16.find("bf16") != std::string::npos ||
              fp16.find("fp32") != std::string::npos)
      << fp16;

  test::GraphBuilder g;
  const ValueId best = g.node("ArgMax", {g.input({1, 2, 4, 4})}, {{"axis", std::int64_t{1}}});
  const std::string integers = refusal(g.finish({best}), "fp32");
  EXPECT_NE(integers.find("int64"), std::string::npos) << integers;
}

TEST(CpuBackendProfile, LayersAddUp) {
  const auto context =
      engine_of(optimized(test::small_nets().front().second()), "fp32")->create_context({});
  auto* profiler = dynamic_cast<LayerProfiler*>(context.get());
  ASSERT_NE(profiler, nullptr);
  const auto layers = profiler->layers();
  std::vector<std::int64_t> ns(layers.size(), 0);
  profiler->infer_profiled(ns);
  EXPECT_TRUE(std::all_of(ns.begin(), ns.end(), [](std::int64_t t) { return t > 0; }));
  std::int64_t macs = 0;
  for (const auto& layer : layers) macs += layer.multiply_accumulates;
  // 12x12 planes: stem 3->16, two of 16->16; dense 16->10.
  EXPECT_EQ(macs, 144 * 9 * (3 * 16 + 2 * 16 * 16) + 160);
  EXPECT_THROW(profiler->infer_profiled(std::span(ns).first(1)), Error);
}

TEST(CpuBackendEngine, SaysWhichLayersAreSlow) {
  test::GraphBuilder g;
  const ValueId x = g.input({1, 2, 4, 4});
  const ValueId slow = g.node("ReduceSum", {g.node("Relu", {x})}, {{"axes", test::Ints{1, 3}}});
  const Graph graph = optimized(g.finish({slow}));
  const auto warnings = engine_of(graph, "fp32")->create_context({})->warnings();
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find(graph.nodes.back().name), std::string::npos) << warnings[0];
  const auto fast = engine_of(optimized(test::small_nets().front().second()), "fp32");
  EXPECT_TRUE(fast->create_context({})->warnings().empty());
}

TEST(CpuBackendEngine, MissingSectionsAreRefused) {
  EngineContainer container;
  container.info.backend = "cpu";
  container.info.precision = "fp32";
  container.info.inputs = {{"input", {1, 2, 2, 3}}};
  container.info.outputs = {{"output", {1, 10}}};
  EXPECT_THROW((void)make_engine(container)->create_context({}), Error);
  container.info.backend = "abacus";
  EXPECT_THROW((void)make_engine(container), Error);
}

}  // namespace
}  // namespace hedge
