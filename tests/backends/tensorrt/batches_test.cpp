// SPDX-License-Identifier: Apache-2.0
// Plans for a range of batches; streams and cache that contexts are given.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "backends/tensorrt/tensorrt_test.h"
#include "graph/reference_executor.h"
#include "quant/qdq.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

using test::run;

class TensorRtBatches : public test::TensorRtTest {
 protected:
  static BuildOptions ranged(const std::string& precision) {
    BuildOptions build = options(precision);
    build.batches = BatchRange{1, 2, 4};
    return build;
  }
  static void expect_right(const Graph& graph, const Engine& engine, std::int64_t batch,
                           double tolerance) {
    SCOPED_TRACE(batch);
    Graph meaning = graph;
    set_batch(meaning, batch);
    const Tensor input = test::noise_tensor(meaning.input_type(0).shape, 3);
    const auto expected = execute(to_qdq(meaning), std::vector<Tensor>{input});
    const auto context = engine.create_context({.threads = 1, .batch = batch});
    const auto actual = run(*context, input.values<float>());
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_LT(test::relative_error(actual[i], expected[i].values<float>()), tolerance);
    }
  }
};

TEST_F(TensorRtBatches, EachBatchOfTheRangeRuns) {
  for (const auto& [name, make] : test::small_nets()) {
    SCOPED_TRACE(name);
    const Graph graph = test::optimized(make());
    const auto engine = make_engine(container(graph, ranged("fp32")));
    for (const std::int64_t batch : {1, 3, 4}) {
      expect_right(graph, *engine, batch, fp32_tolerance());
    }
    const std::string error =
        error_of([&] { (void)engine->create_context({.threads = 1, .batch = 5}); });
    EXPECT_TRUE(contains(error, "batches of 1 to 4, not 5"));
  }
}

TEST_F(TensorRtBatches, IntegersAndHalvesAsWell) {
  const Graph graph = test::quantized(test::small_nets().front().second(), {.signed_only = true});
  auto build = ranged("int8");
  build.fallback = "fp32";
  expect_right(graph, *make_engine(container(graph, build)), 3, int8_tolerance());
  const Graph plain = test::small_net();
  expect_right(plain, *make_engine(container(plain, ranged("fp16"))), 4, 0.02);
}

TEST_F(TensorRtBatches, TensorRtHearsLeastTunedAndMost) {
  const auto summary = plan_of(container(test::small_net(), ranged("fp32"))).summary;
  EXPECT_EQ(summary["batches"], (nlohmann::json{1, 4}));
  EXPECT_EQ(summary["tuned"], 2);
  EXPECT_FALSE(plan_of(container(test::small_net(), options("fp32"))).summary.contains("batches"));
}

TEST_F(TensorRtBatches, ContextsOfOneEngineRunSideBySide) {
  const Graph graph = test::small_net();
  const auto engine = make_engine(container(graph, ranged("fp32")));
  const auto first = engine->create_context({.threads = 1, .batch = 2});
  const auto second = engine->create_context({.threads = 1, .batch = 2});
  const auto input = test::noise(first->input().size(), 4);
  EXPECT_EQ(run(*first, input), run(*second, input));
}

TEST_F(TensorRtBatches, ItsOwnCalibratorGetsBatchesOfTheLeast) {
  if (!tensorrt::kHasCalibrator) GTEST_SKIP() << "this version has none";
  auto build = ranged("int8");
  build.batches = BatchRange{2, 2, 4};
  Graph graph = test::small_net();
  set_batch(graph, 2);
  int fed = 0;
  std::size_t size = 0;
  build.native_calibration = NativeCalibration{.next =
                                                   [&](std::span<float> tensor) {
                                                     size = tensor.size();
                                                     std::ranges::fill(tensor, 1.F);
                                                     return fed++ < 3;
                                                   },
                                               .cache = {}};
  EXPECT_EQ(plan_of(container(graph, build)).summary["calibration_batches"], 3);
  EXPECT_EQ(size, static_cast<std::size_t>(element_count(graph.input_type(0).shape)));
}

TEST_F(TensorRtBatches, FailuresAreOneLine) {
  const Graph graph = test::small_net();
  for (const std::string call :
       {"createOptimizationProfile", "setDimensions", "addOptimizationProfile"}) {
    SCOPED_TRACE(call);
    hedge_double::fail(call);
    const std::string error = error_of([&] { (void)container(graph, ranged("fp32")); });
    EXPECT_TRUE(contains(error, call[0] == 'c' ? "no profile can be had" : " not taken"));
    EXPECT_EQ(hedge_double::all_alive(), 0);
  }
  auto build = ranged("fp16");
  build.compiler.dla_core = 0;
  EXPECT_TRUE(contains(error_of([&] { (void)container(graph, build); }), "no range"));
}

// ---- what contexts are given

TEST_F(TensorRtBatches, AuxiliaryStreamsAreOurs) {
  const Graph graph = test::small_net();
  auto build = options("fp32");
  build.compiler.aux_streams = 2;
  const EngineContainer built = container(graph, build);
  EXPECT_EQ(plan_of(built).summary["aux_streams"], 2);
  const auto context = make_engine(built)->create_context({});
  EXPECT_TRUE(context->warnings().empty());
  EXPECT_FALSE(dynamic_cast<LayerProfiler&>(*context).layers().empty());
  EXPECT_FALSE(plan_of(container(graph, options("fp32"))).summary.contains("aux_streams"));
}

TEST_F(TensorRtBatches, ActivationsMayStayInAPartOfTheCache) {
  auto build = options("fp32");
  build.compiler.persistent_cache_ratio = 0.25;
  const EngineContainer built = container(test::small_net(), build);
  const auto context = make_engine(built)->create_context(kMapped);
  const int most = gpu::device_attribute(cudaDevAttrMaxPersistingL2CacheSize);
  EXPECT_EQ(hedge_double::count(fmt::format("setPersistentCacheLimit {}", most / 4)), 1);
  EXPECT_TRUE(context->warnings().empty());
  if (!test::kOnGpu) {
    EXPECT_EQ(most, 32 << 20);
    hedge_double::fail("cudaDevAttrMaxPersistingL2CacheSize");
    const auto without = make_engine(built)->create_context({});
    ASSERT_EQ(without->warnings().size(), 1U);
    EXPECT_TRUE(contains(without->warnings()[0], "--persistentCacheRatio"));
  }
  hedge_double::reset();
  (void)make_engine(container(test::small_net(), options("fp32")))->create_context({});
  for (const std::string& call : hedge_double::calls()) {
    EXPECT_FALSE(call.starts_with("setPersistentCacheLimit")) << call;
  }
}

}  // namespace
}  // namespace hedge
