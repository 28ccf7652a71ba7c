// SPDX-License-Identifier: Apache-2.0
// Residual blocks whose projection shares a launch with the block's first convolution.

#include <gtest/gtest.h>

#include <algorithm>

#include "backends/cuda/gpu_test.h"
#include "graph/reference_executor.h"
#include "support/engines.h"
#include "support/graph_builder.h"

namespace hedge {
namespace {

using test::GraphBuilder;

struct Block {
  std::int64_t in, out, kernel, stride;
  bool projection_first;
};

Graph graph_of(const Block& block) {
  GraphBuilder g;
  const ValueId x = g.node("Relu", {g.conv(g.input({2, block.in, 9, 7}), block.in, block.in)});
  ValueId projected = kNoValue;
  const auto project = [&] { projected = g.conv(x, block.in, block.out, 1, block.stride); };
  if (block.projection_first) project();
  const ValueId inner = g.node("Relu", {g.conv(x, block.in, 24, block.kernel, block.stride)});
  const ValueId y = g.conv(inner, 24, block.out);
  if (!block.projection_first) project();
  return g.finish({g.node("Flatten", {g.node("Relu", {g.node("Add", {y, projected})})})});
}

class CudaSiblings : public test::GpuTest {};

void expect_results(int level) {
  for (const Block& block : {Block{16, 40, 3, 2, false}, Block{16, 40, 3, 2, true},
                             Block{12, 20, 1, 1, false}, Block{40, 8, 5, 1, true}}) {
    const Graph graph = graph_of(block);
    const Tensor input = test::noise_tensor(graph.input_type(0).shape, 5);
    const auto expected = execute(graph, std::vector<Tensor>{input});
    for (const auto& [precision, tolerance] :
         {std::pair{"fp32", 1e-4}, std::pair{"fp16", 0.02}, std::pair{"bf16", 0.1}}) {
      SCOPED_TRACE(std::to_string(block.in) + " to " + std::to_string(block.out) + " " + precision);
      const auto context =
          test::engine_of(test::optimized(graph), precision, level, "cuda")->create_context({});
      for (int repetition = 0; repetition < 3; ++repetition) {
        const auto actual = test::run(*context, input.values<float>());
        EXPECT_LT(test::relative_error(actual[0], expected[0].values<float>()), tolerance);
      }
      const auto kernels = test::kernels_of(*context);
      EXPECT_TRUE(std::any_of(kernels.begin(), kernels.end(), [](const std::string& text) {
        return text.find("beside 1x1") != std::string::npos;
      }));
    }
  }
}

TEST_F(CudaSiblings, GiveTheBlocksResult) {
  expect_results(0);
}

TEST_F(CudaSiblings, GiveTheBlocksResultByTimedTactics) {
  expect_results(1);
}

}  // namespace
}  // namespace hedge
