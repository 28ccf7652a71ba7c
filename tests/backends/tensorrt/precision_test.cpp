// SPDX-License-Identifier: Apache-2.0
// Precisions beyond one type for all: 8-bit floats, and TensorRT's own choice.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backends/tensorrt/tensorrt_test.h"
#include "base/float8.h"
#include "graph/reference_executor.h"
#include "onnx/format.pb.h"
#include "quant/qdq.h"

namespace hedge {
namespace {

using tensorrt::kHasCalibrator;
using tensorrt::kHasFloat8;
using tensorrt::kStronglyTyped;
using test::run;

class TensorRtPrecision : public test::TensorRtTest {
 protected:
  /// All layers, by their values on one input.
  static BuildOptions float8(const Graph& graph) {
    BuildOptions build = options("fp8");
    build.float8.emplace();
    build.float8->activations =
        test::ranges(graph, test::noise_tensor(graph.input_type(0).shape, 3));
    for (const std::string& layer : quantizable_layers(graph)) build.float8->layers.insert(layer);
    return build;
  }
  static onnx::ModelProto model_of(const EngineContainer& container) {
    onnx::ModelProto model;
    EXPECT_TRUE(model.ParseFromString(plan_of(container).onnx));
    return model;
  }
  static int tensors(const onnx::ModelProto& model, int type, bool scalars) {
    return static_cast<int>(
        std::ranges::count_if(model.graph().initializer(), [&](const onnx::TensorProto& tensor) {
          return tensor.data_type() == type && (tensor.dims_size() == 0) == scalars;
        }));
  }
  static std::vector<std::vector<float>> outputs(const Graph& graph,
                                                 const EngineContainer& container) {
    const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
    const auto context = make_engine(container)->create_context({});
    return run(*context, input.values<float>());
  }
};

TEST_F(TensorRtPrecision, Float8NetsComputeNearlyTheSame) {
  if (!backend().traits().float8) GTEST_SKIP() << "this version or this GPU has none";
  for (const auto& [name, make] : test::small_nets()) {
    SCOPED_TRACE(name);
    const Graph graph = test::optimized(make());
    const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
    const auto exact = execute(to_qdq(graph), std::vector<Tensor>{input});
    const auto actual = outputs(graph, container(graph, float8(graph)));
    ASSERT_EQ(actual.size(), exact.size());
    for (std::size_t i = 0; i < exact.size(); ++i) {
      const double error = test::relative_error(actual[i], exact[i].values<float>());
      EXPECT_LT(error, 0.15);
      EXPECT_GT(error, 1e-3);  // Three bits of fraction are to be seen.
    }
  }
}

TEST_F(TensorRtPrecision, Float8WeightsAreTheNearestOnesOfOneScale) {
  if (!backend().traits().float8) GTEST_SKIP() << "this version or this GPU has none";
  const Graph graph = test::small_net();
  const EngineContainer built = container(graph, float8(graph));
  const onnx::ModelProto model = model_of(built);
  const auto layers = static_cast<int>(quantizable_layers(graph).size());
  EXPECT_EQ(tensors(model, onnx::TensorProto::FLOAT8E4M3FN, false), layers);
  EXPECT_EQ(tensors(model, onnx::TensorProto::INT8, false), 0);
  const Node& conv =
      *std::ranges::find(graph.nodes, quantizable_layers(graph).front(), &Node::name);
  const auto weights = graph.value(conv.inputs[1]).constant->values<float>();
  float largest = 0;
  for (const float w : weights) largest = std::max(largest, std::fabs(w));
  const std::string stored = graph.value(conv.inputs[1]).name + "_float8";
  const auto found = std::ranges::find_if(
      model.graph().initializer(), [&](const auto& tensor) { return tensor.name() == stored; });
  ASSERT_NE(found, model.graph().initializer().end());
  ASSERT_EQ(found->raw_data().size(), weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto code = static_cast<std::uint8_t>(found->raw_data()[i]);
    const float step = std::max(std::fabs(weights[i]) / 8, largest / 448 * 0x1p-9F);
    EXPECT_NEAR(float_from_float8(code) * largest / 448, weights[i], 0.51 * step) << i;
  }
}

TEST_F(TensorRtPrecision, WhatIsNotInFloat8HasThePrecisionOfTheRest) {
  if (!backend().traits().float8) GTEST_SKIP() << "this version or this GPU has none";
  const Graph graph = test::small_net();
  BuildOptions build = float8(graph);
  const std::string first = quantizable_layers(graph).front();
  build.float8->layers.erase(first);
  const auto half = model_of(container(graph, build));
  EXPECT_GT(tensors(half, onnx::TensorProto::FLOAT16, false), 0);
  EXPECT_EQ(tensors(half, onnx::TensorProto::FLOAT, false), 0);
  build.fallback = "fp32";
  const auto full = model_of(container(graph, build));
  EXPECT_EQ(tensors(full, onnx::TensorProto::FLOAT16, false), 0);
  EXPECT_EQ(tensors(full, onnx::TensorProto::FLOAT16, true), 0);
}

TEST_F(TensorRtPrecision, Float8IsRefusedWhereItIsNot) {
  const gpu::Device gpu = gpu::device();
  const bool multiplied = 10 * gpu.major + gpu.minor >= 89;
  EXPECT_EQ(backend().traits().float8, kHasFloat8 && multiplied);
  const Graph graph = test::small_net();
  if (!backend().traits().float8) {
    EXPECT_TRUE(contains(error_of([&] { (void)container(graph, float8(graph)); }),
                         kHasFloat8 ? "does not multiply 8-bit floats" : "has no 8-bit floats"));
    return;
  }
  EXPECT_TRUE(contains(error_of([&] { (void)container(graph, options("fp8")); }), "no ranges"));
}

TEST_F(TensorRtPrecision, BestWithItsOwnCalibratorPermitsEveryPrecision) {
  BuildOptions build = options("best");
  int fed = 0;
  build.native_calibration = NativeCalibration{.next =
                                                   [&fed](std::span<float> tensor) {
                                                     std::ranges::fill(tensor, 1.F);
                                                     return fed++ < 2;
                                                   },
                                               .cache = {}};
  const Graph graph = test::small_net();
  if (!kHasCalibrator) {
    EXPECT_TRUE(contains(error_of([&] { (void)container(graph, build); }), "no calibrator"));
    return;
  }
  const auto summary = plan_of(container(graph, build)).summary;
  EXPECT_EQ(summary["fp16"], true);
  EXPECT_EQ(summary["int8"], true);
  EXPECT_EQ(summary.value("bf16", false), kStronglyTyped);
  EXPECT_EQ(summary["calibration_batches"], 2);
}

/// As builder/best makes its candidates.
TEST_F(TensorRtPrecision, BestWithoutItIsWhatTheGraphAndTheRestSay) {
  const Graph floating = test::small_net();
  BuildOptions build = options("best");
  build.fallback = "fp32";
  for (const std::string& layer : quantizable_layers(floating)) build.layers[layer] = "fp32";
  const auto plan = plan_of(container(floating, build));
  if constexpr (!kStronglyTyped) {
    EXPECT_EQ(plan.summary["fp16"], false);
    EXPECT_EQ(plan.summary["int8"], false);
    EXPECT_EQ(plan.summary["obey"], false);  // They are what they are anyway.
  }
  const Graph integers =
      test::quantized(test::small_nets().front().second(), {.signed_only = true});
  const EngineContainer mixed = container(integers, options("best"));
  if constexpr (kStronglyTyped) {
    EXPECT_GT(tensors(model_of(mixed), onnx::TensorProto::INT8, false), 0);
    EXPECT_GT(tensors(model_of(mixed), onnx::TensorProto::FLOAT16, true), 0);
  } else {
    EXPECT_EQ(plan_of(mixed).summary["int8"], true);
    EXPECT_EQ(plan_of(mixed).summary["fp16"], true);
  }
}

}  // namespace
}  // namespace hedge
