// SPDX-License-Identifier: Apache-2.0
// Plans: in our container, bare as trtexec writes them, of others, broken.
#include <gtest/gtest.h>

#include "backends/tensorrt/loaded_plan.h"
#include "backends/tensorrt/tensorrt_test.h"
#include "base/file.h"
#include "builder/builder.h"
#include "graph/reference_executor.h"
#include "quant/qdq.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

using test::run;

/// Softmax behind a small net, or none.
Graph cifar_like(bool softmax) {
  test::GraphBuilder g;
  const ValueId image = g.input({1, 3, 32, 32});
  const ValueId pooled = g.node("Flatten", {g.node("GlobalAveragePool", {g.conv(image, 3, 8)})});
  ValueId scores = g.node("MatMul", {pooled, g.weights({8, 10})});
  if (softmax) scores = g.node("Softmax", {scores}, {{"axis", std::int64_t{-1}}});
  return test::optimized(g.finish({scores}));
}

class TensorRtPlan : public test::TensorRtTest {
 protected:
  /// A plan as trtexec would write it.
  std::filesystem::path bare(const std::string& name, const Graph& graph,
                             const nlohmann::json& more = {}) {
    hedge_double::PlanFile plan = plan_of(container(graph, options("fp32")));
    if (!more.is_null()) plan.summary.update(more);
    const auto bytes = hedge_double::write_plan(plan);
    const auto file = folder_.path() / name;
    write_file(file, {bytes.data(), bytes.size()});
    return file;
  }
  test::TemporaryFolder folder_;
};

TEST_F(TensorRtPlan, ABarePlanRunsAsItIs) {
  const Graph graph = cifar_like(true);
  const auto file = bare("resnet56_cifar_fp16.engine", graph);
  const auto engine = open_model(file, {});
  const EngineInfo& info = engine->info();
  EXPECT_EQ(info.backend, "tensorrt");
  EXPECT_EQ(info.model, "resnet56");
  EXPECT_EQ(info.dataset, "cifar");
  EXPECT_EQ(info.precision, "fp16");
  EXPECT_EQ(info.inputs.at(0).shape, graph.input_type(0).shape);
  EXPECT_EQ(info.outputs.at(0).shape, (Shape{1, 10}));
  EXPECT_TRUE(info.ends_in_softmax);
  ASSERT_TRUE(info.preprocessing);
  const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
  const auto expected = execute(to_qdq(graph), std::vector<Tensor>{input});
  const auto context = engine->create_context({});
  EXPECT_LT(
      test::relative_error(run(*context, input.values<float>())[0], expected[0].values<float>()),
      fp32_tolerance());
  EXPECT_FALSE(
      load_container(bare("resnet56_cifar_fp32.engine", cifar_like(false))).info.ends_in_softmax);
}

TEST_F(TensorRtPlan, ABarePlanWithoutARecipeAsksForOne) {
  const auto file = bare("net.plan", cifar_like(false));
  EXPECT_TRUE(contains(error_of([&] { (void)open_model(file, {}); }), "--dataset=NAME"));
  EXPECT_EQ(load_container(file).info.precision, "unknown");
}

TEST_F(TensorRtPlan, AVaryingBatchIsChosenWhenItRuns) {
  const auto file =
      bare("resnet56_cifar_fp16.engine", cifar_like(false), {{"batches", {1, 4}}, {"tuned", 2}});
  const auto engine = open_model(file, {});
  EXPECT_EQ(engine->info().batch, 1);
  EXPECT_EQ(engine->info().batches, (BatchRange{1, 2, 4}));
  const auto single = engine->create_context({});
  const auto three = engine->create_context({.threads = 1, .batch = 3});
  const std::size_t image = single->input().size();
  ASSERT_EQ(three->input().size(), 3 * image);
  const auto input = test::noise(3 * image, 9);
  const auto together = run(*three, input)[0];
  for (std::size_t n = 0; n < 3; ++n) {
    const auto alone = run(*single, std::span(input).subspan(n * image, image))[0];
    EXPECT_LT(test::relative_error(std::span(together).subspan(n * 10, 10), alone),
              fp32_tolerance());
  }
  EXPECT_TRUE(contains(error_of([&] { (void)engine->create_context({.threads = 1, .batch = 5}); }),
                       "1 to 4"));
}

TEST_F(TensorRtPlan, WhatCannotRunSaysWhyInTensorRtsWords) {
  const Graph graph = cifar_like(false);
  EXPECT_TRUE(
      contains(error_of([&] {
                 (void)load_container(bare("a_cifar.engine", graph, {{"half_input", true}}));
               }),
               "float16"));
  EXPECT_TRUE(contains(error_of([&] {
                         (void)load_container(bare("b_cifar.engine", graph, {{"plugin", "Swin"}}));
                       }),
                       "Cannot find plugin: Swin"));
  const auto whole = bare("c_cifar.engine", graph);
  std::string bytes = read_text_file(whole);
  write_file(whole, bytes.substr(0, bytes.size() / 2));
  const std::string truncated = error_of([&] { (void)load_container(whole); });
  EXPECT_TRUE(contains(truncated, "Serialization assertion"));
  EXPECT_TRUE(contains(truncated, "c_cifar.engine"));
  bytes[24] = 7;
  bytes[25] = 2;
  bytes[26] = 1;
  write_file(whole, bytes);
  const std::string old = error_of([&] { (void)load_container(whole); });
  EXPECT_TRUE(contains(old, "not compatible with this version of TensorRT"));
  EXPECT_TRUE(contains(old, "the plan is of TensorRT 7.2.1"));
  EXPECT_EQ(hedge_double::all_alive(), 0);
}

TEST_F(TensorRtPlan, ABarePlanOfSomethingElseIsRefusedBeforeItRuns) {
  const auto refused = [&](const Shape& shape, auto&& scores_of) {
    test::GraphBuilder g;
    const ValueId image = g.input(shape);
    const Graph graph = test::optimized(g.finish({scores_of(g, image)}));
    const auto file = bare("net_cifar.engine", graph);
    hedge_double::reset();
    const std::string error = error_of([&] { (void)load_container(file); });
    EXPECT_EQ(hedge_double::count("enqueueV3"), 0) << error;
    return error;
  };
  EXPECT_TRUE(contains(refused({1, 8},
                               [](test::GraphBuilder& g, ValueId image) {
                                 return g.node("MatMul", {image, g.weights({8, 10})});
                               }),
                       "(1x8); an image classifier takes four axes"));
  EXPECT_TRUE(contains(refused({1, 3, 8, 8}, [](test::GraphBuilder& g,
                                                ValueId image) { return g.conv(image, 3, 8); }),
                       "an image classifier gives batch x classes (here 1xCLASSES)"));
  EXPECT_TRUE(contains(refused({3, 3, 8, 8},
                               [](test::GraphBuilder& g, ValueId image) {
                                 const ValueId pooled = g.node("GlobalAveragePool", {image});
                                 return g.node("Flatten", {pooled}, {{"axis", std::int64_t{0}}});
                               }),
                       "(1x9); an image classifier gives batch x classes (here 3xCLASSES)"));
}

TEST_F(TensorRtPlan, FilesThatAreNoPlansStayForeign) {
  const auto file = folder_.path() / "net.engine";
  for (const std::string text : {"ftr", "ONNX", "x"}) {
    write_file(file, text);
    EXPECT_TRUE(contains(error_of([&] { (void)load_container(file); }), "is not a Hedge engine"));
  }
  write_file(file, "");
  EXPECT_TRUE(contains(error_of([&] { (void)load_container(file); }), "is empty"));
}

TEST_F(TensorRtPlan, AnEngineFileHoldsThePlanAndWhereItIsFrom) {
  const auto file = folder_.path() / "net_cifar_fp16.engine";
  const EngineContainer built = container(cifar_like(false), options("fp16"));
  save_container(built, file);
  const EngineContainer loaded = load_container(file);
  const auto plan = find_section(loaded.sections, kPlanSection).bytes;
  EXPECT_TRUE(tensorrt::is_plan(plan));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(plan.data()) % 64, 0U);
  EXPECT_EQ(tensorrt::plan_version(plan), tensorrt::version_text(tensorrt::kHeaderVersion));
  const auto words = read_words(find_section(loaded.sections, "tensorrt"));
  EXPECT_EQ(words.at("version"), tensorrt::version_text(tensorrt::kHeaderVersion));
  EXPECT_TRUE(contains(words.at("gpu"), this_gpu()));
  EXPECT_EQ(make_engine(loaded)->create_context({})->output_count(), 1U);
}

TEST_F(TensorRtPlan, APlanThatIsNotTakenNamesBothMachines) {
  EngineContainer built = container(cifar_like(false), options("fp16"));
  for (Section& section : built.sections) {
    if (section.name != "tensorrt") continue;
    auto words = read_words(section);
    words["version"] = "10.0.1";
    words["gpu"] = "CUDA 12.4, Xavier (sm_72)";
    section = text_section("tensorrt", nlohmann::json(words).dump());
  }
  hedge_double::fail("deserializeCudaEngine");
  const std::string error = error_of([&] { (void)make_engine(built)->create_context({}); });
  EXPECT_TRUE(contains(error, "injected failure of deserializeCudaEngine"));
  EXPECT_TRUE(contains(error, "TensorRT 10.0.1 and CUDA 12.4, Xavier (sm_72)"));
  EXPECT_TRUE(contains(error, this_gpu()));
  for (Section& section : built.sections) {
    if (section.name == "tensorrt") section = text_section("tensorrt", R"({"input": "other"})");
  }
  EXPECT_TRUE(contains(error_of([&] { (void)make_engine(built)->create_context({}); }),
                       "build the engine again"));
}

}  // namespace
}  // namespace hedge
