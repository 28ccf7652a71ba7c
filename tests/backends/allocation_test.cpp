// SPDX-License-Identifier: Apache-2.0
// infer() allocates nothing and takes no lock: malloc and the mutex functions are counted while it
// runs. A program of its own, because it replaces those functions for the whole process.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "graph/early_exit.h"
#include "graph/query.h"
#include "hi/early_exit.h"
#include "hi/fast_decision.h"
#include "hi/online.h"
#include "support/early_exit_nets.h"
#include "support/engines.h"
#include "support/nets.h"
#include "support/quantized.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<int> allocations{0};
std::atomic<int> locks{0};

void count(std::atomic<int>& counter) {
  if (counting.load(std::memory_order_relaxed)) counter.fetch_add(1, std::memory_order_relaxed);
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t bytes) {
  count(allocations);
  return __libc_malloc(bytes);
}
void* calloc(std::size_t n, std::size_t bytes) {
  count(allocations);
  return __libc_calloc(n, bytes);
}
void* realloc(void* block, std::size_t bytes) {
  count(allocations);
  return __libc_realloc(block, bytes);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  count(allocations);
  *block = __libc_memalign(alignment, bytes);
  return *block == nullptr ? 12 : 0;
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  count(allocations);
  return __libc_memalign(alignment, bytes);
}
int pthread_mutex_lock(pthread_mutex_t* mutex) {
  static auto* real = next<int(pthread_mutex_t*)>("pthread_mutex_lock");
  count(locks);
  return real(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* lock) {
  static auto* real = next<int(pthread_rwlock_t*)>("pthread_rwlock_rdlock");
  count(locks);
  return real(lock);
}
int pthread_rwlock_wrlock(pthread_rwlock_t* lock) {
  static auto* real = next<int(pthread_rwlock_t*)>("pthread_rwlock_wrlock");
  count(locks);
  return real(lock);
}
}

namespace hedge {
namespace {

/// Counts while the context runs after a first time, in which the library may set up what it keeps
/// for each thread. With `library_threads` only locks count: GNU's OpenMP allocates where the
/// number of threads changes between two of oneDNN's layers.
void expect_none(ExecutionContext& context, bool library_threads = false) {
  context.infer();
  allocations = 0;
  locks = 0;
  counting = true;
  for (int i = 0; i < 10; ++i) context.infer();
  counting = false;
  EXPECT_TRUE(library_threads || allocations.load() == 0) << allocations.load();
  EXPECT_EQ(locks.load(), 0);
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
    allocations = 0;
    counting = true;
    for (int i = 0; i < 2000; ++i) {
      const double confidence = random.uniform();
      if (policy.offload(confidence)) policy.feedback(random.uniform() < confidence);
    }
    counting = false;
    EXPECT_EQ(allocations.load(), 0);
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
    allocations = 0;
    locks = 0;
    bool exited = false;
    bool continued = false;
    counting = true;
    for (int i = 0; i < 10; ++i) {
      // Brighter images are surer.
      for (std::size_t at = 0; at < image.size(); ++at) {
        early.input()[at] = image[at] * static_cast<float>(i * i);
      }
      (early.run() == AnswerSource::kExit ? exited : continued) = true;
    }
    counting = false;
    EXPECT_TRUE(exited && continued) << precision;
    EXPECT_EQ(allocations.load(), 0) << precision;
    EXPECT_EQ(locks.load(), 0) << precision;
  }
}

TEST(Infer, TheCountersCount) {
  counting = true;
  ::free(::malloc(10));
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  counting = false;
  pthread_mutex_unlock(&mutex);
  EXPECT_GE(allocations.load(), 1);
  EXPECT_GE(locks.load(), 1);
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
      allocations = 0;
      locks = 0;
      int kept = 0;
      counting = true;
      for (std::uint64_t image = 0; image < 10; ++image) kept += fast.keep(scores, image) ? 1 : 0;
      counting = false;
      EXPECT_EQ(allocations.load(), 0) << name_of(decision.rule);
      EXPECT_EQ(locks.load(), 0) << name_of(decision.rule);
      EXPECT_EQ(kept == 10 || kept == 0, decision.rule != Rule::kRandom);
    }
  }
}

}  // namespace
}  // namespace hedge
