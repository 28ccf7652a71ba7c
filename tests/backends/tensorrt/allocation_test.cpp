// SPDX-License-Identifier: Apache-2.0
// infer() allocates nothing: a graph is replayed, in which the double's engine is kernels of the
// cuda backend. As tests/backends/cuda/cuda_allocation_test.cpp: only this thread's count.
#include <gtest/gtest.h>

#include "backends/tensorrt/tensorrt_test.h"
#include "engine/gpu_options.h"
#include "support/heap_counts.h"

namespace hedge {
namespace {

class TensorRtAllocation : public test::TensorRtTest {
  test::ByCuda by_cuda_;
};

/// Of each stretch of inferences, after a first one in which the driver sets up what it keeps.
std::vector<int> allocations_of(ExecutionContext& context, int stretches) {
  const int inferences = test::kOnGpu ? 1000 : 3;
  std::vector<int> counts;
  for (int stretch = 0; stretch <= stretches; ++stretch) {
    counts.push_back(test::counts_of([&] {
                       for (int i = 0; i < inferences; ++i) context.infer();
                     }).own_allocations);
  }
  counts.erase(counts.begin());
  return counts;
}

TEST_F(TensorRtAllocation, InferAllocatesNothing) {
  const auto engine = this->engine(test::small_net(), "fp16");
  for (const WaitMode wait : {WaitMode::kSpin, WaitMode::kYield}) {
    for (const MemoryMode memory :
         {MemoryMode::kMapped, MemoryMode::kPinned, MemoryMode::kDevice}) {
      const auto context = engine->create_context({.gpu = {.wait = wait, .memory = memory}});
      ASSERT_TRUE(dynamic_cast<const GpuContext&>(*context).execution().cuda_graph);
      EXPECT_EQ(allocations_of(*context, 3), std::vector<int>(3, 0))
          << to_string(wait) << " " << to_string(memory);
    }
  }
}

TEST_F(TensorRtAllocation, TheCounterCounts) {
  const auto engine = this->engine(test::small_net(), "fp16");
  EXPECT_GT(test::counts_of([&] { (void)engine->create_context({}); }).own_allocations, 0);
}

}  // namespace
}  // namespace hedge
