// SPDX-License-Identifier: Apache-2.0
// infer() allocates nothing, the driver's calls included. Locks are not asserted: the driver takes
// its own.

#include <gtest/gtest.h>

#include "backends/cuda/gpu_test.h"
#include "engine/gpu_options.h"
#include "support/engines.h"
#include "support/heap_counts.h"
#include "support/nets.h"

namespace hedge {
namespace {

class CudaAllocation : public test::GpuTest {};

/// After a first time, in which the driver sets up what it keeps.
int allocations_of(ExecutionContext& context, int inferences) {
  for (int i = 0; i < 100; ++i) context.infer();
  return test::counts_of([&] {
           for (int i = 0; i < inferences; ++i) context.infer();
         })
      .allocations;
}

TEST_F(CudaAllocation, InferAllocatesNothing) {
  const auto [name, make] = test::small_nets().front();
  const auto engine = test::engine_of(test::optimized(make()), "fp16", 0, "cuda");
  EXPECT_EQ(allocations_of(*engine->create_context({}), 5000), 0);
  for (const WaitMode wait : {WaitMode::kSpin, WaitMode::kYield, WaitMode::kBlock}) {
    for (const MemoryMode memory : {MemoryMode::kMapped, MemoryMode::kPinned, MemoryMode::kManaged,
                                    MemoryMode::kManagedOriginal, MemoryMode::kDevice}) {
      const auto context = engine->create_context({.gpu = {.wait = wait, .memory = memory}});
      EXPECT_EQ(allocations_of(*context, 300), 0) << to_string(wait) << " " << to_string(memory);
    }
  }
}

TEST_F(CudaAllocation, NorDoesItStepByStep) {
  const auto [name, make] = test::small_nets().front();
  const auto engine = test::engine_of(test::optimized(make()), "fp16", 0, "cuda");
  const auto context = engine->create_context({.gpu = {.cuda_graph = false}});
  EXPECT_EQ(allocations_of(*context, 1000), 0);
}

TEST_F(CudaAllocation, TheCounterCounts) {
  const auto [name, make] = test::small_nets().front();
  const auto engine = test::engine_of(test::optimized(make()), "fp16", 0, "cuda");
  EXPECT_GT(test::counts_of([&] { (void)engine->create_context({}); }).allocations, 0);
}

}  // namespace
}  // namespace hedge
