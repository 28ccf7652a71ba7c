// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "backends/cuda/gpu_test.h"
#include "base/file.h"
#include "graph/reference_executor.h"
#include "support/engines.h"
#include "support/nets.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

using test::GraphBuilder;
using test::optimized;
using test::run;

std::shared_ptr<const Engine> engine_of(const Graph& graph, const std::string& precision,
                                        int level = 0) {
  return test::engine_of(graph, precision, level, "cuda");
}

class CudaBackend : public test::GpuTest {};

/// Of all small nets, in every precision.
void expect_agreement(int level) {
  struct Precision {
    std::string name;
    double tolerance;
  };
  for (const auto& [name, make] : test::small_nets()) {
    const Graph graph = optimized(make());
    const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
    const auto expected = execute(graph, std::vector<Tensor>{input});
    for (const Precision& precision :
         {Precision{"fp32", 1e-4}, {"tf32", 5e-3}, {"fp16", 0.02}, {"bf16", 0.1}}) {
      SCOPED_TRACE(name + " " + precision.name);
      const auto context = engine_of(graph, precision.name, level)->create_context({});
      for (int repetition = 0; repetition < 3; ++repetition) {  // The arena must not leak.
        const auto actual = run(*context, input.values<float>());
        ASSERT_EQ(actual.size(), expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
          EXPECT_LT(test::relative_error(actual[i], expected[i].values<float>()),
                    precision.tolerance);
        }
      }
      EXPECT_TRUE(context->warnings().empty()) << context->warnings().front();
    }
  }
}

TEST_F(CudaBackend, AgreesWithTheReferenceExecutor) {
  expect_agreement(0);
}

/// Apart from the rest: it runs every tactic, which takes too long under compute-sanitizer.
TEST_F(CudaBackend, AgreesWithTheReferenceExecutorByTimedTactics) {
  expect_agreement(1);
}

TEST_F(CudaBackend, BatchesEqualSingleImages) {
  for (const auto& [name, make] : test::small_nets()) {
    SCOPED_TRACE(name);
    const auto engine = engine_of(optimized(make()), "fp32");
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
}

TEST_F(CudaBackend, ContextsInThreadsDoNotDisturbOneAnother) {
  const auto engine = engine_of(optimized(test::small_nets().front().second()), "fp16");
  const auto first = engine->create_context({});
  const auto input = test::noise(first->input().size(), 4);
  const auto expected = run(*first, input);
  std::vector<int> wrong(3, 0);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      const auto context = engine->create_context({});
      for (int i = 0; i < 200; ++i) count += run(*context, input) == expected ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(3, 0));
}

/// More than kernels read in the host's memory themselves: copied as part of the graph.
TEST_F(CudaBackend, LargeInputsAndOutputsAreCopied) {
  GraphBuilder g;
  const ValueId x = g.input({1, 3, 320, 300});
  const Graph graph = g.finish({g.node("Relu", {g.conv(x, 3, 5, 1)})});
  const Tensor input = test::noise_tensor({1, 3, 320, 300}, 5);
  const auto expected = execute(graph, std::vector<Tensor>{input});
  const auto context = engine_of(optimized(graph), "fp32")->create_context({});
  for (int repetition = 0; repetition < 2; ++repetition) {
    EXPECT_LT(
        test::relative_error(run(*context, input.values<float>())[0], expected[0].values<float>()),
        1e-4);
  }
}

TEST_F(CudaBackend, TacticsAreCachedForTheGpu) {
  const test::TemporaryFolder folder;
  const auto cache = folder.path() / "timing.cache";
  const Graph graph = optimized(test::small_nets().front().second());
  const Backend& cuda = require_backend("cuda");
  const BuildOptions options{
      .precision = "fp16", .optimization_level = 1, .threads = 1, .timing_cache = cache};
  const auto tactics_of = [](const BackendEngine& engine) {
    for (const Section& section : engine.sections) {
      if (section.name != "tactics") continue;
      return std::string(reinterpret_cast<const char*>(section.bytes.data()), section.bytes.size());
    }
    return std::string();
  };
  const std::string first = tactics_of(cuda.build(graph, options));
  EXPECT_NE(first.find("conv fp16 1x12x12x16"), std::string::npos) << first;
  const std::string kept = read_text_file(cache);
  EXPECT_EQ(tactics_of(cuda.build(graph, options)), first);
  EXPECT_EQ(read_text_file(cache), kept);
  write_file(cache, "no cache");
  EXPECT_THROW((void)cuda.build(graph, options), Error);
}

TEST_F(CudaBackend, RefusalsNameWhatToDo) {
  const Backend& cuda = require_backend("cuda");
  const Graph good = optimized(test::small_nets().front().second());
  const auto refusal = [&](const Graph& graph, const std::string& precision) -> std::string {
    try {
      BuildOptions options;
      options.precision = precision;
      options.optimization_level = 0;
      (void)cuda.build(graph, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_NE(refusal(good, "fp8").find("not on the cuda backend"), std::string::npos);
  EXPECT_NE(refusal(good, "int8").find("calibrate it"), std::string::npos);
  test::GraphBuilder g;
  const ValueId best = g.node("ArgMax", {g.input({1, 2, 4, 4})}, {{"axis", std::int64_t{1}}});
  const std::string integers = refusal(g.finish({best}), "fp32");
  EXPECT_NE(integers.find("int64"), std::string::npos) << integers;
}

/// What --noTF32 is about: without it fp32 is that of TensorRT.
TEST_F(CudaBackend, Fp32MultipliesInTf32WhereThatIsAllowed) {
  const Graph graph = optimized(test::small_nets().at(1).second());
  const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
  std::vector<std::vector<float>> scores;
  for (const bool allowed : {false, true}) {
    BuildOptions options;
    options.precision = "fp32";
    options.optimization_level = 0;
    options.allow_tf32 = allowed;
    BackendEngine built = require_backend("cuda").build(graph, options);
    EXPECT_EQ(built.tf32, allowed);
    EngineContainer container = test::container_of(graph, "fp32", 0, "cuda");
    container.sections = std::move(built.sections);
    container.info.tf32 = built.tf32;
    scores.push_back(
        run(*make_engine(std::move(container))->create_context({}), input.values<float>()).at(0));
  }
  EXPECT_NE(scores[0], scores[1]);
  EXPECT_EQ(scores[1],
            run(*engine_of(graph, "tf32")->create_context({}), input.values<float>()).at(0));
}

TEST_F(CudaBackend, LayersAddUp) {
  const auto context =
      engine_of(optimized(test::small_nets().front().second()), "fp16")->create_context({});
  auto* profiler = dynamic_cast<LayerProfiler*>(context.get());
  ASSERT_NE(profiler, nullptr);
  const auto layers = profiler->layers();
  std::vector<std::int64_t> ns(layers.size(), 0);
  for (int i = 0; i < 3; ++i) profiler->infer_profiled(ns);
  EXPECT_TRUE(std::all_of(ns.begin(), ns.end(), [](std::int64_t t) { return t > 0; }));
  std::int64_t macs = 0;
  for (const auto& layer : layers) macs += layer.multiply_accumulates;
  // 12x12 planes: stem 3->16, two of 16->16; dense 16->10.
  EXPECT_EQ(macs, 144 * 9 * (3 * 16 + 2 * 16 * 16) + 160);
  EXPECT_THROW(profiler->infer_profiled(std::span(ns).first(1)), Error);
}

TEST_F(CudaBackend, SaysWhichLayersAreSlow) {
  GraphBuilder g;
  const ValueId x = g.input({1, 2, 4, 4});
  const ValueId slow = g.node("ReduceL2", {g.node("Relu", {x})}, {{"axes", test::Ints{1, 3}}});
  const Graph graph = optimized(g.finish({slow}));
  const auto warnings = engine_of(graph, "fp32")->create_context({})->warnings();
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find(graph.nodes.back().name), std::string::npos) << warnings[0];
}

TEST_F(CudaBackend, AnEngineOfAnotherGpuRunsWithAWarning) {
  auto container =
      test::container_of(optimized(test::small_nets().front().second()), "fp16", 0, "cuda");
  for (Section& section : container.sections) {
    if (section.name != "gpu") continue;
    const auto text = std::make_shared<const std::string>(R"({"name":"Abacus"})");
    section = {"gpu", std::as_bytes(std::span(*text)), text};
  }
  const auto warnings = make_engine(container)->create_context({})->warnings();
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find("Abacus"), std::string::npos);
  container.sections.pop_back();
  EXPECT_THROW((void)make_engine(container)->create_context({}), Error);
}

}  // namespace
}  // namespace hedge
