// SPDX-License-Identifier: Apache-2.0
// infer() allocates nothing and takes no lock: malloc and the mutex functions are counted while it
// runs. A program of its own, because it replaces those functions for the whole process.

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "graph/early_exit.h"
#include "graph/query.h"
#include "hi/decide/early_exit.h"
#include "hi/decide/fast_decision.h"
#include "hi/online/online.h"
#include "support/early_exit_nets.h"
#include "support/engines.h"
#include "support/heap_counts.h"
#include "support/nets.h"
#include "support/quantized.h"

namespace hedge {
namespace {

/// Counts while the context runs after a first time, in which the library may set up what it keeps
/// for each thread. With `library_threads` only locks count: GNU's OpenMP allocates where the
/// number of threads changes between two of oneDNN's layers.
void expect_none(ExecutionContext& context, bool library_threads = false) {
  context.infer();
  const test::HeapCounts counts = test::counts_of([&] {
    for (int i = 0; i < 10; ++i) context.infer();
  });
  EXPECT_TRUE(library_threads || counts.allocations == 0) << counts.allocations;
  EXPECT_EQ(counts.locks, 0);
}

TEST(Infer, AllocatesNothingAndLocksNothing) {
  for (const auto& [name, make] : test::small_nets()) {
    for (const std::string precision : {"fp32", "bf16", "int8"}) {
      const Graph graph = precision == "int8" ? test::quantized(make()) : test::optimized(make());
      std::shared_ptr<const Engine> engine;
      try {
        engine = test::engine_of(graph, precision, 1);
      } catch (const Error& error) {
        ASSERT_EQ(precision, "bf16") << error.what();
        continue;
      }
      for (const int threads : {1, 2}) {
        SCOPED_TRACE(name + " " + precision + " threads " + std::to_string(threads));
        expect_none(*engine->create_context({.threads = threads, .batch = 0}), threads > 1);
      }
    }
  }
}

TEST(OnlinePolicy, AllocatesNothing) {
  for (OnlinePolicy policy : {OnlinePolicy(HedgePolicy({.experts = 32, .memory = 500})),
                              OnlinePolicy(HedgePolicy({.experts = 64})),
                              OnlinePolicy(UpperConfidencePolicy({.memory = 500}))}) {
    SplitMix64 random(1);
    test::begin_counting();
    for (int i = 0; i < 2000; ++i) {
      const double confidence = random.uniform();
      if (policy.offload(confidence)) policy.feedback(random.uniform() < confidence);
    }
    EXPECT_EQ(test::end_counting().allocations, 0);
    EXPECT_GT(policy.tally().images, policy.tally().offloads);
  }
}

/// The tactics of an engine file with our own kernels for every convolution.
std::string own_tactics(const Graph& graph, const std::string& set) {
  nlohmann::json tactics = nlohmann::json::object();
  for (const Node& node : graph.nodes) {
    if (node.op->name != "Conv") continue;
    const auto& weights = graph.value(node.inputs[1]).type.shape;
    const bool depthwise = weights[1] == 1 && node.attributes.get_int("group", 1) == weights[0];
    tactics[convolution_kind(graph, node)] =
        (depthwise && weights[0] > 1 ? "hedge:depthwise:" : "hedge:igemm:") + set;
  }
  return tactics.dump();
}

TEST(Infer, AllocatesNothingByOurOwnKernels) {
  for (const auto& [name, make] : test::small_nets()) {
    const Graph graph = test::optimized(make());
    bool found = false;  // This machine's widest set, which the test does not know.
    for (const std::string set : {"avx512", "avx2", "baseline", "neon"}) {
      EngineContainer container = test::container_of(graph, "fp32");
      const std::string tactics = own_tactics(graph, set);
      for (Section& section : container.sections) {
        if (section.name == "tactics") section.bytes = std::as_bytes(std::span(tactics));
      }
      const auto engine = make_engine(std::move(container));
      for (const int threads : {1, 2}) {
        SCOPED_TRACE(name + " " + set + " threads " + std::to_string(threads));
        const auto context = engine->create_context({.threads = threads, .batch = 0});
        const auto kernels = test::kernels_of(*context);
        const auto own =
            std::count_if(kernels.begin(), kernels.end(), [](const std::string& kernel) {
              return kernel.starts_with("Conv hedge:igemm:") ||
                     kernel.starts_with("Conv hedge:depthwise:");
            });
        const auto convolutions =
            std::count_if(graph.nodes.begin(), graph.nodes.end(),
                          [](const Node& node) { return node.op->name == "Conv"; });
        if (own != convolutions) continue;
        found = true;
        expect_none(*context);
      }
    }
    EXPECT_TRUE(found) << name;
  }
}

TEST(Infer, AllocatesNothingInThePartsOfAnEarlyExit) {
  for (const std::string precision : {"fp32", "int8"}) {
    Graph graph = test::early_exit_net(true);
    if (precision == "int8") {
      graph = test::quantized(graph);
    } else {
      optimize(graph);
    }
    order_stem_first(graph, graph.outputs[1]);
    EngineContainer container = test::container_of(graph, precision);
    container.info.exit = ExitInfo{.output = 1};
    const auto engine = make_engine(std::move(container));
    const auto context = engine->create_context({});
    EarlyExit early(*engine, *context, {.exit = {.rule = Rule::kTop1, .threshold = 0.25}});
    context->infer();
    const std::vector<float> image = test::noise(early.input().size(), 1);
    std::copy(image.begin(), image.end(), early.input().begin());
    bool exited = false;
    bool continued = false;
    test::begin_counting();
    for (int i = 0; i < 10; ++i) {
      // Brighter images are surer.
      for (std::size_t at = 0; at < image.size(); ++at) {
        early.input()[at] = image[at] * static_cast<float>(i * i);
      }
      (early.run() == AnswerSource::kExit ? exited : continued) = true;
    }
    const test::HeapCounts counts = test::end_counting();
    EXPECT_TRUE(exited && continued) << precision;
    EXPECT_EQ(counts.allocations, 0) << precision;
    EXPECT_EQ(counts.locks, 0) << precision;
  }
}

TEST(Infer, TheCountersCount) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  const test::HeapCounts counts = test::counts_of([&] {
    void* volatile block = ::malloc(10);  // A compiler may leave out what nobody sees.
    ::free(block);
    pthread_mutex_lock(&mutex);
  });
  pthread_mutex_unlock(&mutex);
  EXPECT_GE(counts.allocations, 1);
  EXPECT_GE(counts.locks, 1);
}

/// The decision on an image is as much in the hot path as infer(): in each of its ways.
TEST(FastDecision, AllocatesNothingAndLocksNothing) {
  const std::vector<float> scores(1000, 0.001F);
  for (const ScoreKind kind : {ScoreKind::kLogits, ScoreKind::kSoftmax}) {
    for (const Decision& decision :
         {logistic_decision(-4, 6, -3), Decision{.rule = Rule::kEntropy, .threshold = 1},
          Decision{.rule = Rule::kTop1, .threshold = 0.001, .temperature = 2},
          Decision{.rule = Rule::kRandom}, Decision{.rule = Rule::kNever}}) {
      const FastDecision fast(decision, kind);
      int kept = 0;
      const test::HeapCounts counts = test::counts_of([&] {
        for (std::uint64_t image = 0; image < 10; ++image) kept += fast.keep(scores, image) ? 1 : 0;
      });
      EXPECT_EQ(counts.allocations, 0) << name_of(decision.rule);
      EXPECT_EQ(counts.locks, 0) << name_of(decision.rule);
      EXPECT_EQ(kept == 10 || kept == 0, decision.rule != Rule::kRandom);
    }
  }
}

}  // namespace
}  // namespace hedge
