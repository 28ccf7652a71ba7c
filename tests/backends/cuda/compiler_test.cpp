// SPDX-License-Identifier: Apache-2.0
// Plans, which are made without a GPU.

#include <gtest/gtest.h>

#include <algorithm>

#include "backends/cuda/plan.h"
#include "backends/layer_cases.h"
#include "support/engines.h"
#include "support/nets.h"

namespace hedge::cuda {
namespace {

std::shared_ptr<const Plan> plan_of(Graph graph, ElementKind kind = ElementKind::kHalf) {
  optimize(graph);
  return compile(graph, {.kind = kind, .tactics = {}});
}

std::vector<std::string> kernels_of(const Plan& plan) {
  std::vector<std::string> kernels;
  for (const Step& step : plan.steps) kernels.push_back(step.kernel);
  return kernels;
}

std::string joined(const Plan& plan) {
  std::string text;
  for (const std::string& kernel : kernels_of(plan)) text += kernel + "\n";
  return text;
}

TEST(CudaCompiler, HasAKernelForEveryLayerThatIsToBeFast) {
  for (const test::LayerGroup& group : test::layer_groups()) {
    for (const test::LayerCase& layer : group.cases()) {
      for (const test::Feed& feed : test::feeds()) {
        SCOPED_TRACE(layer.name + " after " + feed.name);
        for (const ElementKind kind : {ElementKind::kHalf, ElementKind::kFloat32}) {
          const auto plan = plan_of(test::graph_of(layer, feed), kind);
          if (layer.fast) {
            EXPECT_TRUE(plan->slow_layers.empty()) << joined(*plan);
          }
          for (const Step& step : plan->steps) {
            EXPECT_NE(step.device.launch == nullptr, step.host.run == nullptr);
          }
        }
      }
    }
  }
}

/// Every step writes before it is read, and what lives at the same time lies apart.
TEST(CudaCompiler, ValuesThatLiveAtOnceShareNoBytes) {
  for (const auto& [name, make] : test::small_nets()) {
    SCOPED_TRACE(name);
    const auto plan = plan_of(make());
    const std::size_t count = plan->storages.size();
    std::vector<std::size_t> first(count, plan->steps.size());
    std::vector<std::size_t> last(count, 0);
    for (std::size_t i = 0; i < plan->steps.size(); ++i) {
      for (const Argument& argument : plan->steps[i].arguments) {
        first[argument.storage] = std::min(first[argument.storage], i);
        last[argument.storage] = i;
      }
    }
    for (std::size_t a = 0; a < count; ++a) {
      const Storage& one = plan->storages[a];
      if (one.buffer.place != Buffer::Place::kArena || first[a] > last[a]) continue;
      EXPECT_LE(one.buffer.offset + one.bytes, plan->arena_bytes);
      EXPECT_EQ(one.buffer.offset % kAlignment, 0U);
      for (std::size_t b = a + 1; b < count; ++b) {
        const Storage& other = plan->storages[b];
        if (other.buffer.place != Buffer::Place::kArena || first[b] > last[b]) continue;
        if (first[a] > last[b] || first[b] > last[a]) continue;
        EXPECT_TRUE(one.buffer.offset + one.bytes <= other.buffer.offset ||
                    other.buffer.offset + other.bytes <= one.buffer.offset);
      }
    }
  }
}

TEST(CudaCompiler, AResidualNetIsItsConvolutionsAndFewStepsMore) {
  const auto plan = plan_of(test::small_nets().front().second());
  const std::string text = joined(*plan);
  EXPECT_NE(text.find("+ add + relu"), std::string::npos) << text;
  // The first convolution takes the caller's floats; pool, product and softmax are one step.
  EXPECT_EQ(plan->steps.size(), 4U) << text;
  EXPECT_EQ(plan->convolutions.size(), 2U) << text;
}

/// A residual block that halves the plane. Nodes in either order, as exporters write them.
struct Block {
  bool projection_first = false;
  std::int64_t projection_kernel = 1;
  bool read_elsewhere = false;  ///< The main branch's result has another reader.
};
Graph block_of(const Block& block) {
  test::GraphBuilder g;
  const ValueId x = g.node("Relu", {g.conv(g.input({1, 16, 8, 8}), 16, 16)});
  ValueId projected = kNoValue;
  const auto project = [&] { projected = g.conv(x, 16, 32, block.projection_kernel, 2); };
  if (block.projection_first) project();
  const ValueId y = g.conv(g.node("Relu", {g.conv(x, 16, 32, 3, 2)}), 32, 32);
  if (!block.projection_first) project();
  std::vector<ValueId> outputs{g.node("Relu", {g.node("Add", {y, projected})})};
  if (block.read_elsewhere) outputs.push_back(g.node("Sigmoid", {y}));
  return g.finish(outputs);
}

TEST(CudaCompiler, AProjectionGoesBesideTheConvolutionOfTheSameInput) {
  for (const bool first : {false, true}) {
    const auto plan = plan_of(block_of({.projection_first = first}));
    const auto kernels = kernels_of(*plan);
    const auto beside = std::find_if(kernels.begin(), kernels.end(), [](const std::string& text) {
      return text.ends_with("+ relu beside 1x1");
    });
    ASSERT_NE(beside, kernels.end()) << joined(*plan);
    ASSERT_NE(beside + 1, kernels.end());
    // What adds the projection's sums is the convolution after it, whichever came last.
    EXPECT_TRUE((beside + 1)->ends_with("+ add + relu")) << joined(*plan);
    EXPECT_EQ(std::count_if(kernels.begin(), kernels.end(),
                            [](const auto& text) { return text.starts_with("Conv"); }),
              3);
    std::int64_t macs = 0;
    for (const Step& step : plan->steps) macs += step.multiply_accumulates;
    EXPECT_EQ(macs, multiply_accumulates(block_of({.projection_first = first})));
  }
}

TEST(CudaCompiler, OtherShortcutsStayLaunchesOfTheirOwn) {
  for (const Block& block : {Block{.projection_kernel = 3}, Block{.read_elsewhere = true}}) {
    const auto plan = plan_of(block_of(block));
    EXPECT_EQ(joined(*plan).find("beside"), std::string::npos) << joined(*plan);
  }
}

TEST(CudaCompiler, TacticsAreTakenByTheirText) {
  test::GraphBuilder g;
  const Graph graph = g.finish({g.conv(g.input({1, 16, 8, 8}), 16, 16)});
  const auto plan = plan_of(graph);
  ASSERT_EQ(plan->convolutions.size(), 1U);
  const auto& [text, kind] = *plan->convolutions.begin();
  const auto all = convolution_tactics(kind.shape, plan->kind);
  ASSERT_GT(all.size(), 10U);
  for (const ConvolutionTactic& tactic : all) {
    const auto chosen =
        compile(graph, {.kind = ElementKind::kHalf, .tactics = {{text, tactic_text(tactic)}}});
    EXPECT_NE(joined(*chosen).find(tactic_text(tactic)), std::string::npos);
  }
}

}  // namespace
}  // namespace hedge::cuda
