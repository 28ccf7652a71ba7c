// SPDX-License-Identifier: Apache-2.0
// No layer of these nets runs by a reference kernel, oneDNN's or ours, on any CPU that Hedge is
// built for: this one, the same with AVX2 alone (another run of this test, see CMakeLists.txt),
// arm64.

#include <gtest/gtest.h>

#include <filesystem>

#include "builder/builder.h"
#include "engine/backend.h"
#include "graph/passes/passes.h"
#include "support/nets.h"

namespace hedge {
namespace {

/// The names of layers that run by a kernel that is there for completeness.
std::string slow_layers(Graph graph) {
  optimize(graph);
  const BackendEngine engine = require_backend("cpu").build(
      graph, {.precision = "fp32", .optimization_level = 0, .threads = 1, .timing_cache = {}});
  std::string slow;
  for (const auto& layer : engine.layer_choices) {
    const std::string kernel = layer.at("kernel");
    if (kernel.find("ref") != std::string::npos || kernel.find("simple") != std::string::npos) {
      slow += layer.at("name").get<std::string>() + ": " + kernel + "; ";
    }
  }
  EXPECT_FALSE(engine.layer_choices.empty());
  return slow;
}

TEST(SlowLayers, TheBundledNetsHaveNone) {
  for (const char* name : {"resnet8_shapes.onnx", "resnet20w_shapes.onnx"}) {
    const auto path = std::filesystem::path(HEDGE_SOURCE_DIR) / "models" / name;
    EXPECT_EQ(slow_layers(import_model(path)), "") << name;
  }
}

TEST(SlowLayers, PublishedNetsHaveNone) {
  const auto folder = std::filesystem::path(HEDGE_SOURCE_DIR) / ".." / "shared" / "models";
  bool any = false;
  for (const char* name : {"resnet8_cifar.onnx", "resnet56_cifar.onnx", "mobilenet_v2.onnx"}) {
    if (!std::filesystem::exists(folder / name)) continue;
    any = true;
    EXPECT_EQ(slow_layers(import_model(folder / name)), "") << name;
  }
  if (!any) GTEST_SKIP() << "no published models beside the checkout";
}

/// MobileNetV2's layers, small: expansion, depthwise in both strides, projection, residual.
TEST(SlowLayers, ABottleneckHasNone) {
  test::GraphBuilder g;
  const auto clip = [&](ValueId x) {
    return g.node("Clip", {x, g.constant(Tensor::from<float>({}, std::vector<float>{0.F})),
                           g.constant(Tensor::from<float>({}, std::vector<float>{6.F}))});
  };
  const ValueId x = clip(g.conv(g.input({1, 3, 16, 16}), 3, 16, 3, 2));
  const ValueId wide = clip(g.conv(clip(g.conv(x, 16, 96, 1)), 96, 96, 3, 1, 96));
  const ValueId sum = g.node("Add", {x, g.conv(wide, 96, 16, 1)});
  const ValueId narrow = clip(g.conv(clip(g.conv(sum, 16, 96, 1)), 96, 96, 3, 2, 96));
  const ValueId pooled = g.node("GlobalAveragePool", {g.conv(narrow, 96, 24, 1)});
  const ValueId scores = g.node("Gemm", {g.node("Flatten", {pooled}), g.weights({24, 10})});
  EXPECT_EQ(slow_layers(g.finish({g.node("Softmax", {scores})})), "");
}

}  // namespace
}  // namespace hedge
