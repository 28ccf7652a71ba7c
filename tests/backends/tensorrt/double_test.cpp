// SPDX-License-Identifier: Apache-2.0
// The double's engine as the cuda backend computes it: in the precisions that the plan states, with
// the cuda backend's results.
#include <gtest/gtest.h>

#include <algorithm>

#include "backends/cuda/cuda_net.h"
#include "backends/tensorrt/tensorrt_test.h"
#include "double/precisions.h"

namespace hedge {
namespace {

using cuda::ElementKind;
using test::run;

class TensorRtDouble : public test::TensorRtTest {
 protected:
  static cuda::PlanOptions plan_options(const Graph& graph, const BuildOptions& options) {
    return hedge_double::plan_options(plan_of(container(graph, options)));
  }
  static std::vector<std::vector<float>> by_tensorrt(const Graph& graph,
                                                     const BuildOptions& options,
                                                     std::span<const float> input) {
    const test::ByCuda by_cuda;
    return run(*make_engine(container(graph, options))->create_context({}), input);
  }
  static std::vector<std::vector<float>> by_cuda(const Graph& graph, ElementKind kind,
                                                 std::span<const float> input) {
    const auto plan = cuda::compile(graph, {.kind = kind, .tactics = {}});
    return run(*cuda::new_context(cuda::load_plan(plan)), input);
  }
};

TEST_F(TensorRtDouble, TakesThePrecisionsOfThePlan) {
  const Graph graph = test::small_net();
  const Graph quantized =
      test::quantized(test::small_nets().front().second(), {.signed_only = true});
  EXPECT_EQ(plan_options(graph, options("fp32")).kind, ElementKind::kFloat32);
  EXPECT_EQ(plan_options(graph, options("tf32")).kind, ElementKind::kTf32);
  EXPECT_EQ(plan_options(graph, options("fp16")).kind, ElementKind::kHalf);
  if (tensorrt::kStronglyTyped) {
    EXPECT_EQ(plan_options(graph, options("bf16")).kind, ElementKind::kBfloat16);
  }
  EXPECT_EQ(plan_options(quantized, options("int8")).kind, ElementKind::kHalf);
  BuildOptions build = options("int8");
  build.fallback = "fp32";
  EXPECT_EQ(plan_options(quantized, build).kind, ElementKind::kFloat32);
}

TEST_F(TensorRtDouble, TakesALayersOwnPrecision) {
  const Graph graph = test::small_net();
  const std::string& own = graph.nodes.front().name;
  BuildOptions build = options("fp16");
  build.layers[own] = "fp32";
  const cuda::PlanOptions chosen = plan_options(graph, build);
  EXPECT_EQ(chosen.kind, ElementKind::kHalf);
  EXPECT_EQ(chosen.layers.at(own), ElementKind::kFloat32);
  EXPECT_EQ(std::ranges::count(chosen.layers, ElementKind::kFloat32,
                               [](const auto& layer) { return layer.second; }),
            1);
}

/// In float32 nothing is rounded on the way to TensorRT.
TEST_F(TensorRtDouble, HasTheBitsOfTheCudaBackend) {
  for (const auto& [name, make] : test::small_nets()) {
    SCOPED_TRACE(name);
    const Graph graph = test::optimized(make());
    const auto input =
        test::noise(static_cast<std::size_t>(element_count(graph.input_type(0).shape)), 5);
    EXPECT_EQ(by_tensorrt(graph, options("fp32"), input),
              by_cuda(graph, ElementKind::kFloat32, input));
    const Graph quantized = test::quantized(make(), {.signed_only = true});
    BuildOptions build = options("int8");
    build.fallback = "fp32";
    EXPECT_EQ(by_tensorrt(quantized, build, input),
              by_cuda(quantized, ElementKind::kFloat32, input));
  }
}

}  // namespace
}  // namespace hedge
