// SPDX-License-Identifier: Apache-2.0
// How a plan is built: what TensorRT is told, what it refuses, the timing cache.
#include <gtest/gtest.h>

#include <algorithm>

#include "backends/tensorrt/node_names.h"
#include "backends/tensorrt/tensorrt_test.h"
#include "base/cancellation.h"
#include "base/file.h"
#include "onnx/format.pb.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

using tensorrt::kHasCalibrator;
using tensorrt::kStronglyTyped;
using tensorrt::kTellsProgress;

class TensorRtBuild : public test::TensorRtTest {
 protected:
  /// The types of the plan's weights in floating point.
  static std::vector<int> weight_types(const hedge_double::PlanFile& plan) {
    onnx::ModelProto model;
    EXPECT_TRUE(model.ParseFromString(plan.onnx));
    std::vector<int> types;
    for (const auto& tensor : model.graph().initializer()) {
      if (tensor.dims_size() > 1 && std::ranges::count(types, tensor.data_type()) == 0) {
        types.push_back(tensor.data_type());
      }
    }
    return types;
  }
  [[nodiscard]] std::filesystem::path cache_file() const {
    return folder_.path() / "timing.cache.tensorrt";
  }
  test::TemporaryFolder folder_;
};

TEST_F(TensorRtBuild, IsTheDefaultBackendAndNamesItsVersion) {
  EXPECT_EQ(default_backend().name(), "tensorrt");
  EXPECT_TRUE(contains(backend().description(),
                       "TensorRT " + tensorrt::version_text(tensorrt::kHeaderVersion)));
}

TEST_F(TensorRtBuild, TensorRtHearsTheOptions) {
  const Graph graph = test::small_net();
  auto build = options("fp32");
  build.optimization_level = 5;
  build.compiler.workspace_bytes = 1 << 20;
  build.compiler.sparsity = Sparsity::kEnable;
  const auto summary = plan_of(container(graph, build)).summary;
  EXPECT_EQ(summary["level"], 5);
  EXPECT_EQ(summary["workspace"], 1 << 20);
  EXPECT_EQ(summary["tf32"], false);
  EXPECT_EQ(summary["sparse"], true);
  EXPECT_TRUE(logged("(Sparsity) Found 2 layer(s)"));
  const auto plain = plan_of(container(graph, options("tf32"))).summary;
  EXPECT_EQ(plain["tf32"], true);
  EXPECT_EQ(plain["sparse"], false);
  EXPECT_FALSE(plain.contains("workspace"));
}

TEST_F(TensorRtBuild, KeepsWhatTensorRtSaysOfTheLayers) {
  const Graph graph = test::small_net();
  const auto choices = backend().build(graph, options("fp32")).layer_choices;
  EXPECT_GE(choices["tensorrt"]["Layers"].size(), graph.nodes.size());
  hedge_double::fail("createEngineInspector");
  EXPECT_EQ(backend().build(graph, options("fp32")).layer_choices["tensorrt"], "");
  hedge_double::fail("deserializeCudaEngine");
  EXPECT_TRUE(contains(error_of([&] { (void)backend().build(graph, options("fp32")); }),
                       "the plan is not taken"));
}

TEST_F(TensorRtBuild, PrecisionsAreTypesOrFlags) {
  const auto half = plan_of(container(test::small_net(), options("fp16")));
  const Graph quantized =
      test::quantized(test::small_nets().front().second(), {.signed_only = true});
  const auto integers = plan_of(container(quantized, options("int8")));
  auto early = options("int8");
  early.fallback = "fp32";
  const auto with_fp32 = plan_of(container(quantized, early));
  if constexpr (kStronglyTyped) {
    EXPECT_EQ(half.summary["opset"], 19);
    EXPECT_EQ(weight_types(half), std::vector<int>{onnx::TensorProto::FLOAT16});
    EXPECT_EQ(std::ranges::count(weight_types(integers), int{onnx::TensorProto::INT8}), 1);
    EXPECT_EQ(std::ranges::count(weight_types(integers), int{onnx::TensorProto::FLOAT}), 0);
    EXPECT_EQ(std::ranges::count(weight_types(with_fp32), int{onnx::TensorProto::FLOAT16}), 0);
  } else {
    EXPECT_EQ(half.summary["opset"], 17);
    EXPECT_EQ(half.summary["fp16"], true);
    EXPECT_EQ(half.summary["int8"], false);
    EXPECT_EQ(integers.summary["fp16"], true);
    EXPECT_EQ(integers.summary["int8"], true);
    EXPECT_EQ(with_fp32.summary["fp16"], false);
    EXPECT_EQ(weight_types(integers), std::vector<int>{onnx::TensorProto::FLOAT});
  }
}

TEST_F(TensorRtBuild, ALayersOwnPrecisionReachesTensorRt) {
  const Graph graph = test::small_net();
  auto build = options("fp16");
  build.layers[graph.nodes.front().name] = "fp32";
  const auto plan = plan_of(container(graph, build));
  if constexpr (kStronglyTyped) {
    EXPECT_EQ(weight_types(plan).size(), 2U);
  } else {
    EXPECT_EQ(plan.summary["obey"], true);
    EXPECT_EQ(plan.summary["precisions"][graph.nodes.front().name],
              static_cast<int>(nvinfer1::DataType::kFLOAT));
  }
}

TEST_F(TensorRtBuild, PrecisionsThatItCannotHaveAreRefused) {
  const Graph graph = test::small_net();
  for (const std::string precision : {"int4", "fp64"}) {
    EXPECT_TRUE(contains(error_of([&] { (void)container(graph, options(precision)); }),
                         "precision " + precision));
  }
  if (!kStronglyTyped) {
    EXPECT_TRUE(contains(error_of([&] { (void)container(graph, options("bf16")); }), "bfloat16"));
  }
  if (kHasCalibrator) {
    auto native = options("bf16");
    native.native_calibration.emplace();
    const std::string error = error_of([&] { (void)container(graph, native); });
    EXPECT_TRUE(contains(error, "precision bf16"));
    EXPECT_EQ(error.find(", bf16"), std::string::npos) << error;  // It is no way out.
  }
  EXPECT_EQ(hedge_double::count("createInferBuilder"), 0);
}

TEST_F(TensorRtBuild, UnsignedActivationsAreRefusedByName) {
  Graph graph = test::quantized(test::small_nets().front().second(), {.signed_only = true});
  std::string name;
  for (Value& value : graph.values) {
    if (value.quantization && !value.constant) {
      value.quantization->type = DataType::kUInt8;
      name = value.name;
      break;
    }
  }
  EXPECT_TRUE(contains(error_of([&] { (void)container(graph, options("int8")); }), name));
  EXPECT_TRUE(backend().traits().signed_int8_only);
}

TEST_F(TensorRtBuild, TheParsersErrorNamesTheNode) {
  const Graph graph = test::small_net();
  const auto conv =
      std::ranges::find(graph.nodes, "Conv", [](const Node& node) { return node.op->name; });
  ASSERT_NE(conv, graph.nodes.end());
  hedge_double::fail("parse Conv");
  const std::string error = error_of([&] { (void)container(graph, options("fp16")); });
  EXPECT_TRUE(contains(error, "'" + conv->name + "' (Conv): Assertion failed: injected"));
}

TEST_F(TensorRtBuild, NodeNamesAreThoseOfTheFile) {
  const std::string bytes =
      onnx_of(test::small_net(), {.opset = 19, .floats = FloatType::kFloat16});
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(bytes));
  const auto nodes = tensorrt::node_names(bytes);
  ASSERT_EQ(nodes.size(), static_cast<std::size_t>(model.graph().node_size()));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    EXPECT_EQ(nodes[i].name, model.graph().node(static_cast<int>(i)).name());
    EXPECT_EQ(nodes[i].op, model.graph().node(static_cast<int>(i)).op_type());
  }
  for (std::size_t cut = 0; cut < bytes.size(); cut += 7) {  // Nothing is read beyond the end.
    EXPECT_LE(tensorrt::node_names(std::string_view(bytes).substr(0, cut)).size(), nodes.size());
  }
}

TEST_F(TensorRtBuild, EachFailureOfACallIsOneLineAndLeavesNothing) {
  const Graph graph = test::small_net();
  for (const std::string call : {"createInferBuilder", "createNetworkV2", "createBuilderConfig",
                                 "createParser", "parse", "buildSerializedNetwork"}) {
    SCOPED_TRACE(call);
    hedge_double::fail(call);
    EXPECT_TRUE(contains(error_of([&] { (void)container(graph, options("fp16")); }),
                         "injected failure of " + call));
    EXPECT_EQ(hedge_double::all_alive(), 0);
  }
  EXPECT_FALSE(logged("injected"));  // They are in the errors, and there alone.
}

TEST_F(TensorRtBuild, ADlaMustBeThereAndComputesInHalf) {
  const Graph graph = test::small_net();
  auto build = options("fp16");
  build.compiler.dla_core = 0;
  EXPECT_TRUE(contains(error_of([&] { (void)container(graph, build); }), "there is no DLA here"));
  build.precision = "int8";
  EXPECT_TRUE(contains(error_of([&] { (void)container(graph, build); }), "--precision=fp16"));
  build.precision = "fp16";
  build.compiler.gpu_fallback = true;
  setenv("HEDGE_DOUBLE_DLA_CORES", "2", 1);
  build.compiler.dla_core = 1;
  const EngineContainer built = container(graph, build);
  EXPECT_EQ(plan_of(built).summary["dla_core"], 1);
  EXPECT_EQ(plan_of(built).summary["gpu_fallback"], true);
  EXPECT_EQ(make_engine(built)->create_context({})->warnings().size(), 0U);
  build.compiler.dla_core = 2;
  EXPECT_TRUE(contains(error_of([&] { (void)container(graph, build); }), "2 DLA cores"));
  unsetenv("HEDGE_DOUBLE_DLA_CORES");
}

TEST_F(TensorRtBuild, TellsItsProgressAndCanBeCancelled) {
  const Graph graph = test::small_net();
  auto build = options("fp16");
  std::vector<std::int64_t> told;
  build.progress = [&](std::int64_t done, std::int64_t total) {
    EXPECT_EQ(total, 1000);
    told.push_back(done);
  };
  (void)container(graph, build);
  if (!kTellsProgress) {
    EXPECT_TRUE(told.empty());
    return;
  }
  EXPECT_EQ(told, (std::vector<std::int64_t>{500, 625, 750, 875, 1000}));
  build.timing_cache = folder_.path() / "timing.cache";
  build.progress = [](std::int64_t, std::int64_t) { request_cancellation(); };
  EXPECT_TRUE(contains(error_of([&] { (void)container(graph, build); }), "cancelled"));
  cancellation_flag = false;
  EXPECT_FALSE(std::filesystem::exists(cache_file()));
}

// ---- the timing cache

TEST_F(TensorRtBuild, TimingsAreKeptAndTakenAgain) {
  auto build = options("fp16");
  build.timing_cache = folder_.path() / "timing.cache";
  const Graph graph = test::small_net();
  EXPECT_EQ(plan_of(container(graph, build)).summary["timed_before"], 0);
  EXPECT_FALSE(std::filesystem::exists(build.timing_cache));
  const std::string first = read_text_file(cache_file());
  EXPECT_TRUE(contains(first, "TRTCACHE"));
  EXPECT_EQ(plan_of(container(graph, build)).summary["timed_before"], 1);
  EXPECT_EQ(read_text_file(cache_file()), first);
  EXPECT_TRUE(logged("timing.cache.tensorrt"));
  log_.clear();
  build.timing_cache = cache_file();  // One of TensorRT's is taken as it is called.
  EXPECT_EQ(plan_of(container(graph, build)).summary["timed_before"], 1);
  EXPECT_EQ(log_, std::vector<std::string>{});
}

TEST_F(TensorRtBuild, WhatAnotherBuildHasWrittenMeanwhileIsKept) {
  if (!kTellsProgress) GTEST_SKIP() << "nothing is called during a build";
  auto build = options("fp16");
  build.timing_cache = folder_.path() / "timing.cache";
  build.progress = [&](std::int64_t, std::int64_t) {
    write_file(cache_file(),
               "TRTCACHE " + std::to_string(tensorrt::kHeaderVersion) + "\nnet of another build");
  };
  (void)container(test::small_net(), build);
  const std::string kept = read_text_file(cache_file());
  EXPECT_TRUE(contains(kept, "net of another build"));
  EXPECT_TRUE(contains(kept, "bytes"));
}

TEST_F(TensorRtBuild, HedgesOwnTimingsKeepTheirFile) {
  auto build = options("fp16");
  build.timing_cache = folder_.path() / "timing.cache";
  write_file(build.timing_cache, "{\"format\": 1}\n");
  (void)container(test::small_net(), build);
  EXPECT_EQ(read_text_file(build.timing_cache), "{\"format\": 1}\n");
  EXPECT_TRUE(contains(read_text_file(build.timing_cache.string() + ".tensorrt"), "TRTCACHE"));
  EXPECT_TRUE(logged("timing.cache.tensorrt"));
}

TEST_F(TensorRtBuild, TimingsThatDoNotFitAreBegunAnewWithAWarning) {
  auto build = options("fp16");
  build.timing_cache = folder_.path() / "timing.cache";
  write_file(build.timing_cache, "TRTCACHE 7000\nnet of an old build");
  EXPECT_EQ(plan_of(container(test::small_net(), build)).summary["timed_before"], 0);
  EXPECT_TRUE(logged("another GPU or by another TensorRT"));
}

TEST_F(TensorRtBuild, AFileThatIsNoTimingCacheIsNotReplaced) {
  auto build = options("fp16");
  build.timing_cache = folder_.path() / "timing.cache";
  const auto refused = [&](const std::filesystem::path& file) {
    write_file(file, "garbage");
    EXPECT_TRUE(contains(error_of([&] { (void)container(test::small_net(), build); }),
                         file.string() + " is no timing cache of this version"));
    EXPECT_EQ(read_text_file(file), "garbage");
    std::filesystem::remove(file);
  };
  refused(build.timing_cache);
  // Of our own name, it is TensorRT's of some version.
  write_file(cache_file(), "garbage");
  EXPECT_EQ(plan_of(container(test::small_net(), build)).summary["timed_before"], 0);
  EXPECT_TRUE(logged("is no timing cache of this TensorRT"));
}

TEST_F(TensorRtBuild, ACacheThatCannotBeWrittenCostsNoEngine) {
  auto build = options("fp16");
  build.timing_cache = folder_.path() / "timing.cache";
  for (const std::string call : {"combine", "ITimingCache::serialize"}) {
    hedge_double::fail(call);
    (void)container(test::small_net(), build);
    EXPECT_TRUE(logged("injected failure of " + call));
  }
  build.timing_cache = folder_.path() / "no" / "folder" / "timing.cache";
  (void)container(test::small_net(), build);
  EXPECT_TRUE(logged("the timing cache is not kept"));
}

}  // namespace
}  // namespace hedge
