// SPDX-License-Identifier: Apache-2.0
// How a plan runs: results, the graph that is captured, addresses, what is left when something
// fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "backends/tensorrt/tensorrt_test.h"
#include "graph/reference_executor.h"
#include "quant/qdq.h"
#include "support/early_exit_nets.h"

namespace hedge {
namespace {

using hedge_double::count;
using test::run;

class TensorRtRun : public test::TensorRtTest {
 protected:
  static void expect_right(const Graph& graph, const Graph& meaning, ExecutionContext& context,
                           double tolerance) {
    const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
    const auto expected = execute(meaning, std::vector<Tensor>{input});
    for (int repetition = 0; repetition < 2; ++repetition) {
      const auto actual = run(context, input.values<float>());
      ASSERT_EQ(actual.size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_LT(test::relative_error(actual[i], expected[i].values<float>()), tolerance);
      }
    }
  }
};

TEST_F(TensorRtRun, AgreesWithTheReferenceExecutorInEachPrecision) {
  for (const auto& [name, make] : test::small_nets()) {
    const Graph graph = test::optimized(make());
    const Graph meaning = to_qdq(graph);
    for (const auto& [precision, tolerance] :
         std::vector<std::pair<std::string, double>>{{"fp32", fp32_tolerance()}, {"fp16", 0.02}}) {
      SCOPED_TRACE(name + " " + precision);
      const auto context = engine(graph, precision)->create_context({});
      expect_right(graph, meaning, *context, tolerance);
      EXPECT_TRUE(context->warnings().empty());
    }
  }
}

TEST_F(TensorRtRun, Int8NetsComputeWhatTheirGraphSays) {
  for (const auto& [name, make] : test::small_nets()) {
    SCOPED_TRACE(name);
    const Graph graph = test::quantized(make(), {.signed_only = true});
    auto build = options("int8");
    build.fallback = "fp32";
    const auto context = make_engine(container(graph, build))->create_context({});
    expect_right(graph, to_qdq(graph), *context, int8_tolerance());
    // Scales in half precision move values over the borders between two integers.
    const auto half = make_engine(container(graph, options("int8")))->create_context({});
    expect_right(graph, to_qdq(graph), *half, 0.15);
  }
}

TEST_F(TensorRtRun, OutputsKeepTheGraphsOrder) {
  const Graph graph = test::optimized(test::early_exit_net());
  ASSERT_EQ(graph.outputs.size(), 2U);
  const auto context = engine(graph, "fp32")->create_context({});
  expect_right(graph, to_qdq(graph), *context, fp32_tolerance());
}

TEST_F(TensorRtRun, TheInputCanBeLookedAtAsCalibrationDoes) {
  Graph graph = test::small_net();
  graph.outputs.push_back(graph.inputs[0].value);
  const auto context = engine(graph, "fp32")->create_context({});
  expect_right(graph, to_qdq(graph), *context, fp32_tolerance());
}

TEST_F(TensorRtRun, LargeInputsAreCopiedAsPartOfTheGraph) {
  test::GraphBuilder g;
  const ValueId image = g.input({1, 3, 96, 96});  // 110 kB.
  const ValueId pooled = g.node("Flatten", {g.node("GlobalAveragePool", {g.conv(image, 3, 8)})});
  const Graph graph = test::optimized(g.finish({g.node("MatMul", {pooled, g.weights({8, 10})})}));
  const auto context = engine(graph, "fp32")->create_context({});
  expect_right(graph, to_qdq(graph), *context, fp32_tolerance());
}

TEST_F(TensorRtRun, EnqueuesTwiceThenReplaysWithoutAllocation) {
  const Graph graph = test::small_net();
  const auto engine = this->engine(graph, "fp32");
  const auto first = engine->create_context(kMapped);
  EXPECT_EQ(count("enqueueV3"), 2);
  EXPECT_EQ(count("setTensorAddress"), 2);
  const auto second = engine->create_context(kMapped);
  EXPECT_EQ(count("deserializeCudaEngine"), 2);  // The builder looks at what it made, too.
  const auto made = hedge_double::calls().size();
  for (int i = 0; i < 3; ++i) {
    first->infer();
    second->infer();
  }
  std::vector<std::string> calls = hedge_double::calls();
  calls.erase(calls.begin(), calls.begin() + static_cast<std::ptrdiff_t>(made));
  for (const std::string& call : calls) {
    EXPECT_TRUE(call == "cudaGraphLaunch" || call == "cudaStreamQuery") << call;
  }
  EXPECT_EQ(count("cudaGraphLaunch"), test::kOnGpu ? 0 : 6);  // There they are not noted.
}

TEST_F(TensorRtRun, TellsTheTimeOfEachLayerBesideTheCapturedGraph) {
  const Graph graph = test::small_net();
  const auto context = engine(graph, "fp32")->create_context(kMapped);
  auto& profiler = dynamic_cast<LayerProfiler&>(*context);
  const auto layers = profiler.layers();
  const bool by_cuda = hedge_double::computes_by_cuda();  // Which fuses layers, and times them.
  ASSERT_GE(layers.size(), by_cuda ? 2 : graph.nodes.size());
  EXPECT_TRUE(std::ranges::any_of(layers, [&](const LayerProfiler::Layer& layer) {
    return layer.name == graph.nodes.front().name;
  }));
  std::vector<std::int64_t> times(layers.size(), 0);
  profiler.infer_profiled(times);
  profiler.infer_profiled(times);
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_GT(times[i], 0);
    if (by_cuda) continue;
    EXPECT_NEAR(static_cast<double>(times[i]), 1000.0 * static_cast<double>(i + 1), 1);
  }
  EXPECT_EQ(count("createExecutionContext"), 2);
  expect_right(graph, to_qdq(graph), *context, fp32_tolerance());
  std::vector<std::int64_t> fewer(1);
  EXPECT_TRUE(contains(error_of([&] { profiler.infer_profiled(fewer); }), "1 times for "));
}

TEST_F(TensorRtRun, ContextsInThreadsDoNotDisturbOneAnother) {
  const Graph graph = test::small_net();
  const auto engine = this->engine(graph, "fp32");
  const auto input = test::noise(engine->create_context({})->input().size(), 4);
  const auto expected = run(*engine->create_context({}), input);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      const auto context = engine->create_context({});
      for (int n = 0; n < 3; ++n) EXPECT_EQ(run(*context, input), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(TensorRtRun, FallsBackWhereTheCaptureFails) {
  const Graph graph = test::small_net();
  const auto engine = this->engine(graph, "fp32");
  const auto kept = engine->create_context(kMapped);
  const std::vector<std::pair<std::string, int>> failures{{"cudaStreamBeginCapture", 1},
                                                          {"cudaStreamEndCapture", 1},
                                                          {"cudaGraphInstantiateWithFlags", 1},
                                                          {"enqueueV3", 2}};
  for (const auto& [call, nth] : failures) {
    if (test::kOnGpu && call.starts_with("cuda")) continue;
    SCOPED_TRACE(call);
    hedge_double::fail(call, nth);
    const auto context = engine->create_context(kMapped);
    ASSERT_EQ(context->warnings().size(), 1U);
    EXPECT_TRUE(contains(context->warnings()[0], "not captured as a CUDA graph"));
    expect_right(graph, to_qdq(graph), *context, fp32_tolerance());
  }
  hedge_double::fail("enqueueV3", 2);
  EXPECT_TRUE(contains(engine->create_context(kMapped)->warnings().at(0),
                       "injected failure of enqueueV3"));  // TensorRT's own words.
}

TEST_F(TensorRtRun, EachFailureOfACallIsOneLineAndLeavesNothing) {
  const Graph graph = test::small_net();
  const EngineContainer built = container(graph, options("fp32"));
  ASSERT_EQ(hedge_double::all_alive(), 0);
  for (const std::string call :
       {"createInferRuntime", "deserializeCudaEngine", "createExecutionContext", "setInputShape",
        "setTensorAddress", "enqueueV3", "cudaStreamCreateWithFlags", "cudaHostAlloc",
        "cudaStreamQuery", "cudaGraphUpload"}) {
    if (test::kOnGpu && call.starts_with("cuda")) continue;
    SCOPED_TRACE(call);
    hedge_double::fail(call);
    const std::string error = error_of([&] { (void)make_engine(built)->create_context(kMapped); });
    EXPECT_TRUE(contains(error, call.starts_with("cuda") ? "CUDA" : "injected failure of " + call));
    if (call.starts_with("set")) {
      EXPECT_TRUE(contains(error, " is not taken: "));
    }
    EXPECT_EQ(hedge_double::all_alive(), 0);
  }
}

/// Built, loaded, run and profiled, with each of all the calls failing in turn: the scores are
/// right then, or an error says what failed.
TEST_F(TensorRtRun, WhicheverCallFailsNothingIsWrongOrLeft) {
  test::GraphBuilder g;
  const ValueId pooled =
      g.node("Flatten", {g.node("GlobalAveragePool", {g.conv(g.input({1, 3, 8, 8}), 3, 8)})});
  const Graph graph = test::optimized(g.finish({pooled}));
  const auto input = test::noise(3 * 8 * 8, 3);
  const auto whole = [&] {
    const auto context = engine(graph, "fp32")->create_context(kMapped);
    auto& profiler = dynamic_cast<LayerProfiler&>(*context);
    std::vector<std::int64_t> times(profiler.layers().size(), 0);
    profiler.infer_profiled(times);
    auto scores = run(*context, input);
    EXPECT_EQ(run(*context, input), scores);
    return scores;
  };
  const auto expected = whole();
  const auto calls = hedge_double::calls();
  ASSERT_GT(calls.size(), 20U);
  int errors = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    SCOPED_TRACE(calls[i] + ", call " + std::to_string(i));
    hedge_double::fail_any(static_cast<int>(i + 1));
    try {
      EXPECT_EQ(whole(), expected);
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_EQ(text.find('\n'), std::string::npos) << text;
      EXPECT_FALSE(text.empty());
      ++errors;
    }
    EXPECT_EQ(hedge_double::all_alive(), 0);
  }
  EXPECT_GT(errors, 10);
}

TEST_F(TensorRtRun, AGpuThatIsLostEndsTheInference) {
  if (test::kOnGpu) GTEST_SKIP() << "CUDA's own calls do not fail on demand";
  // Of managed memory the driver is asked, nothing else says that an inference is done.
  const auto context =
      engine(test::small_net(), "fp32")->create_context({.gpu = {.memory = MemoryMode::kManaged}});
  hedge_double::fail("cudaStreamQuery");
  EXPECT_TRUE(contains(error_of([&] { context->infer(); }), "start the program again"));
  hedge_double::fail("cudaGraphLaunch");
  EXPECT_TRUE(contains(error_of([&] { context->infer(); }), "CUDA"));
}

TEST_F(TensorRtRun, AnotherBatchIsRefusedWithTheFlag) {
  const auto engine = this->engine(test::small_net(), "fp32");
  EXPECT_TRUE(contains(error_of([&] { (void)engine->create_context({.threads = 1, .batch = 3}); }),
                       "--engine_batch_size=3"));
}

}  // namespace
}  // namespace hedge
