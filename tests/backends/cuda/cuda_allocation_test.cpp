// SPDX-License-Identifier: Apache-2.0
// infer() allocates nothing, the driver's calls included. Threads of the driver's own allocate some
// ten times a second, whatever the program does, so only this one's count; and locks do not, since
// the driver takes them.

#include <gtest/gtest.h>

#include "backends/cuda/gpu_test.h"
#include "engine/gpu_options.h"
#include "support/engines.h"
#include "support/heap_counts.h"
#include "support/nets.h"

namespace hedge {
namespace {

class CudaAllocation : public test::GpuTest {};

/// Of each stretch of inferences, after a first one in which the driver sets up what it keeps.
std::vector<int> allocations_of(ExecutionContext& context, int stretches) {
  constexpr int kStretch = 1000;
  std::vector<int> counts;
  for (int stretch = 0; stretch <= stretches; ++stretch) {
    counts.push_back(test::counts_of([&] {
                       for (int i = 0; i < kStretch; ++i) context.infer();
                     }).own_allocations);
  }
  counts.erase(counts.begin());
  return counts;
}

TEST_F(CudaAllocation, InferAllocatesNothing) {
  const auto [name, make] = test::small_nets().front();
  const auto engine = test::engine_of(test::optimized(make()), "fp16", 0, "cuda");
  EXPECT_EQ(allocations_of(*engine->create_context({}), 20), std::vector<int>(20, 0));
  // Not so where the driver is asked: it allocates in each of its calls about events, and in each
  // launch on managed memory.
  for (const WaitMode wait : {WaitMode::kSpin, WaitMode::kYield}) {
    for (const MemoryMode memory :
         {MemoryMode::kMapped, MemoryMode::kPinned, MemoryMode::kDevice}) {
      for (const bool cuda_graph : {true, false}) {
        const auto context = engine->create_context(
            {.gpu = {.wait = wait, .memory = memory, .cuda_graph = cuda_graph}});
        EXPECT_EQ(allocations_of(*context, 3), std::vector<int>(3, 0))
            << to_string(wait) << " " << to_string(memory) << " " << cuda_graph;
      }
    }
  }
}

TEST_F(CudaAllocation, TheCounterCounts) {
  const auto [name, make] = test::small_nets().front();
  const auto engine = test::engine_of(test::optimized(make()), "fp16", 0, "cuda");
  EXPECT_GT(test::counts_of([&] { (void)engine->create_context({}); }).own_allocations, 0);
}

}  // namespace
}  // namespace hedge
