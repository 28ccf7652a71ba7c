// SPDX-License-Identifier: Apache-2.0
#include "onnx/import.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "base/file.h"
#include "graph/passes/passes.h"
#include "graph/reference_executor.h"
#include "hedge/error.h"
#include "onnx/format.pb.h"
#include "onnx/model_builder.h"
#include "support/graph_builder.h"
#include "support/shared_folder.h"

namespace hedge {
namespace {

using namespace test;

// ---- against ONNX Runtime

std::filesystem::path model_file(const std::string& name) {
  const std::filesystem::path source = HEDGE_SOURCE_DIR;
  for (const auto& folder : {source / "models", shared_folder() / "models"}) {
    if (std::filesystem::exists(folder / name)) return folder / name;
  }
  return {};
}

const nlohmann::json& goldens() {
  static const auto all = nlohmann::json::parse(
      std::ifstream(std::filesystem::path(HEDGE_SOURCE_DIR) / "tests/onnx/goldens.json"));
  return all.at("models");
}

std::vector<std::string> golden_models() {
  std::vector<std::string> names;
  for (const auto& golden : goldens()) names.push_back(golden.at("model"));
  return names;
}

class ImportedModel : public testing::TestWithParam<std::string> {};

TEST_P(ImportedModel, AnswersAsOnnxRuntimeBeforeAndAfterOptimisation) {
  const std::filesystem::path path = model_file(GetParam());
  if (path.empty()) GTEST_SKIP() << "one of the published models, which are not in the repository";
  // The deep nets have the operators of the others, and take a minute under sanitizers.
  if (HEDGE_SANITIZED && GetParam().find("resnet56") != std::string::npos)
    GTEST_SKIP() << "left to the builds without sanitizers";
  const auto golden = std::find_if(goldens().begin(), goldens().end(),
                                   [](const auto& each) { return each.at("model") == GetParam(); });
  const auto mapped = MappedFile::open(path);
  Graph graph = import_onnx(mapped->bytes(), {.batch = 1, .folder = path.parent_path()});
  const Shape shape = golden->at("shape");
  ASSERT_EQ(graph.input_type(0).shape, shape);
  std::vector<float> image =
      test::noise(static_cast<std::size_t>(element_count(shape)), golden->at("seed"));
  for (float& v : image)
    v = v * golden->at("scale").get<float>() + golden->at("offset").get<float>();
  const std::vector<Tensor> input{Tensor::from<float>(shape, image)};
  for (const bool optimised : {false, true}) {
    SCOPED_TRACE(optimised ? "optimised" : "as imported");
    if (optimised) optimize(graph);
    const auto outputs = execute(graph, input);
    ASSERT_EQ(outputs.size(), golden->at("outputs").size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::vector<float> expected = golden->at("outputs")[i];
      EXPECT_LT(test::relative_error(outputs[i].values<float>(), expected), 1e-4) << "output " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Goldens, ImportedModel, testing::ValuesIn(golden_models()),
                         [](const auto& info) {
                           return std::filesystem::path(info.param).stem().string();
                         });

TEST(Import, TheDemoModelsAreCompared) {
  for (const std::string name : {"resnet8_shapes.onnx", "resnet20w_shapes.onnx"}) {
    const std::vector<std::string> names = golden_models();
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
    EXPECT_FALSE(model_file(name).empty()) << name;
  }
}

// ---- what exporters write

TEST(Import, AnOpenFirstExtentIsTheBatch) {
  ModelBuilder b;
  b.input("x", {0, 3}).output("y");
  b.node("Relu", {"x"}, {"y"});
  EXPECT_EQ(b.import(1).input_type(0).shape, (Shape{1, 3}));
  EXPECT_EQ(b.import(4).input_type(0).shape, (Shape{4, 3}));
}

TEST(Import, AnyNumberOfInputsOfAnyType) {
  ModelBuilder b;
  b.input("x", {2, 3}).input("indices", {0}, onnx::TensorProto::INT64).output("y");
  b.input("half", {}, onnx::TensorProto::FLOAT16).output("z").output("one");
  add_int(b.node("Gather", {"x", "indices"}, {"y"}), "axis", 0);
  b.node("Relu", {"half"}, {"z"});
  add_int(b.node("Constant", {}, {"one"}), "value_int", 1);
  const Graph graph = b.import(4);
  ASSERT_EQ(graph.inputs.size(), 3U);
  EXPECT_EQ(graph.input_type(0), (TensorType{DataType::kFloat32, {2, 3}}));
  EXPECT_EQ(graph.input_type(1), (TensorType{DataType::kInt64, {4}}));
  EXPECT_EQ(graph.input_type(2), (TensorType{DataType::kFloat32, {}}));
  EXPECT_EQ(graph.value(graph.outputs[0]).type, (TensorType{DataType::kFloat32, {4, 3}}));

  ModelBuilder none;
  none.output("one");
  add_int(none.node("Constant", {}, {"one"}), "value_int", 1);
  EXPECT_EQ(execute(none.import(), {})[0].to_int64(), (std::vector<std::int64_t>{1}));
}

TEST(Import, ShapesComputedInTheGraph) {
  ModelBuilder b;
  b.input("x", {0, 2, 3}).output("y").ints("first", {0}).ints("rest", {-1});
  add_int(b.node("Shape", {"x"}, {"shape"}), "start", 0);
  add_int(b.node("Gather", {"shape", "first"}, {"n"}), "axis", 0);
  add_int(b.node("Concat", {"n", "rest"}, {"target"}), "axis", 0);
  b.node("Reshape", {"x", "target"}, {"y"});
  for (const std::int64_t batch : {1, 5}) {
    const Graph graph = b.import(batch);
    EXPECT_EQ(graph.value(graph.outputs[0]).type.shape, (Shape{batch, 6}));
  }
}

TEST(Import, NodesInAnyOrder) {
  ModelBuilder b;
  b.input("x", {1, 2}).output("y").floats("one", {1}, {1});
  b.node("Add", {"r", "one"}, {"y"});
  b.node("Relu", {"x"}, {"r"});
  EXPECT_EQ(run(b.import(), {-3, 2}), (std::vector<float>{1, 3}));
}

TEST(Import, InitializersListedAsInputs) {
  ModelBuilder b;
  b.input("x", {1, 2}).input("w", {2}).output("y").floats("w", {2}, {10, 20});
  b.node("Add", {"x", "w"}, {"y"});
  EXPECT_EQ(run(b.import(), {1, 2}), (std::vector<float>{11, 22}));
}

TEST(Import, RawDataAndSubnormals) {
  const std::vector<float> values = {1.5F, -2, 1e-40F};
  ModelBuilder b;
  b.input("x", {1, 3}).output("y").floats("w", {3}, {});
  b.graph().mutable_initializer(0)->set_raw_data(values.data(), values.size() * sizeof(float));
  b.node("Add", {"x", "w"}, {"y"});
  EXPECT_EQ(run(b.import(), {0, 0, 0}), values);
}

TEST(Import, OldSoftmaxWorksFromAxisOne) {
  for (const std::int64_t opset : {11, 13}) {
    ModelBuilder b(opset);
    b.input("x", {1, 2, 1}).output("y");
    b.node("Softmax", {"x"}, {"y"});
    const auto y = run(b.import(), {0, std::log(3.F)});
    // From opset 13 on the default is the last axis, of extent 1.
    EXPECT_NEAR(y[0], opset < 13 ? 0.25 : 1, 1e-6) << opset;
    EXPECT_NEAR(y[1], opset < 13 ? 0.75 : 1, 1e-6) << opset;
  }
}

TEST(Import, OldSoftmaxOfAVectorHasNoAxisOne) {
  ModelBuilder b(11);
  b.input("x", {3}).output("y");
  b.node("Softmax", {"x"}, {"y"});
  EXPECT_TRUE(mentions(b.refusal(), {"Softmax_1", "axis 1"})) << b.refusal();
}

TEST(Import, OldSoftmaxOverSeveralAxesAtOnce) {
  const std::vector<float> x = {0, std::log(2.F), std::log(3.F), std::log(4.F)};
  for (const bool logarithm : {false, true}) {
    ModelBuilder b(11);
    b.input("x", {1, 2, 2}).output("y");
    b.node(logarithm ? "LogSoftmax" : "Softmax", {"x"}, {"y"});
    Graph graph = b.import();
    EXPECT_EQ(graph.value(graph.outputs[0]).type.shape, (Shape{1, 2, 2}));
    optimize(graph);
    EXPECT_EQ(graph.value(graph.outputs[0]).name, "y");
    const auto y = run(graph, x);
    for (std::size_t i = 0; i < 4; ++i) {
      const double share = static_cast<double>(i + 1) / 10;
      EXPECT_NEAR(y[i], logarithm ? std::log(share) : share, 1e-6) << i;
    }
  }
}

TEST(Import, UnreadNodesAndOutputsDoNotMatter) {
  ModelBuilder b;
  b.input("x", {1, 2}).output("y");
  b.node("Dropout", {"x"}, {"y", "mask"});
  b.node("Relu", {"x"}, {"nobody"});
  EXPECT_EQ(run(b.import(), {-1, 2}), (std::vector<float>{-1, 2}));
}

TEST(Import, AFirstOutputThatNobodyReads) {
  ModelBuilder b;
  b.input("x", {1, 4}).output("y");
  add_int(b.node("Split", {"x"}, {"unread", "y"}), "axis", 1);
  Graph graph = b.import();
  optimize(graph);
  EXPECT_EQ(run(graph, {1, 2, 3, 4}), (std::vector<float>{3, 4}));
}

TEST(Import, ALastOutputThatNobodyReads) {
  ModelBuilder b(11);  // No sizes: as many even parts as there are outputs.
  b.input("x", {1, 6}).output("y");
  add_int(b.node("Split", {"x"}, {"unread", "y", "unread too"}), "axis", 1);
  const Graph graph = b.import();
  EXPECT_EQ(graph.unread, (std::vector<std::string>{"unread", "unread too"}));
  EXPECT_EQ(run(graph, {1, 2, 3, 4, 5, 6}), (std::vector<float>{3, 4}));
}

// ---- what is refused

TEST(Import, NamesEveryUnsupportedOperatorAndOpenExtentAtOnce) {
  ModelBuilder b;
  b.input("x", {1, 0, 3, 0}).output("y");
  b.node("Foo", {"x"}, {"a"});
  b.node("Bar", {"a"}, {"b"});
  b.node("Foo", {"b"}, {"y"});
  EXPECT_TRUE(mentions(b.refusal(), {"Foo (nodes Foo_1, Foo_3)", "Bar (node Bar_2)", "'x'",
                                     "1xNx3xN", "--shape=1x3x3x224"}))
      << b.refusal();
}

TEST(Import, OperatorsOfOtherDomainsAreNotOurs) {
  ModelBuilder b;
  b.input("x", {1, 2}).output("y");
  b.node("Relu", {"x"}, {"y"}).set_domain("com.example");
  EXPECT_TRUE(mentions(b.refusal(), {"com.example", "Relu_1"})) << b.refusal();
}

TEST(Import, NamesNodesOfWrongShapes) {
  ModelBuilder b;
  b.input("x", {1, 2}).output("y").floats("w", {3}, {1, 2, 3});
  b.node("Add", {"x", "w"}, {"a"});
  b.node("Gemm", {"x", "w"}, {"b"});
  b.node("Add", {"a", "b"}, {"y"});
  EXPECT_TRUE(mentions(b.refusal(), {"Add_1"})) << b.refusal();
}

TEST(Import, Circles) {
  ModelBuilder b;
  b.input("x", {1, 2}).output("y");
  b.node("Add", {"x", "b"}, {"a"});
  b.node("Relu", {"a"}, {"b"});
  b.node("Relu", {"x"}, {"y"});
  EXPECT_TRUE(mentions(b.refusal(), {"circle", "Add_1", "Relu_2"})) << b.refusal();
}

TEST(Import, TensorSizesThatLieOrOverflow) {
  for (const auto& [shape, values] :
       std::vector<std::pair<std::vector<std::int64_t>, std::vector<float>>>{
           {{3}, {1, 2}},
           {{1LL << 40, 1LL << 40}, {1}},
           {{-1}, {1}},
           {{1LL << 62, 4}, {}},
           {{0x7fffffffffffffff}, {1}}}) {
    ModelBuilder b;
    b.input("x", {1, 2}).output("y").floats("weights", shape, values);
    b.node("Add", {"x", "weights"}, {"y"});
    EXPECT_TRUE(mentions(b.refusal(), {"weights"})) << b.refusal();
  }
}

TEST(Import, ValuesMadeTwiceOrNever) {
  ModelBuilder twice;
  twice.input("x", {1, 2}).output("y");
  twice.node("Relu", {"x"}, {"y"});
  twice.node("Relu", {"x"}, {"y"});
  EXPECT_TRUE(mentions(twice.refusal(), {"'y'", "twice"})) << twice.refusal();
  ModelBuilder never;
  never.input("x", {1, 2}).output("y").output("z");
  never.node("Add", {"x", "ghost"}, {"y"});
  EXPECT_TRUE(mentions(never.refusal(), {"ghost", "Add_1", "'z'"})) << never.refusal();
}

TEST(Import, OldOpsetsAndEmptyModels) {
  ModelBuilder old(6);
  old.input("x", {1, 2}).output("y");
  old.node("Relu", {"x"}, {"y"});
  EXPECT_TRUE(mentions(old.refusal(), {"opset 6"})) << old.refusal();
}

TEST(Import, EveryTruncationIsRefused) {
  ModelBuilder b;
  b.input("x", {1, 2}).output("y").floats("w", {2}, {1, 2});
  b.node("Add", {"x", "w"}, {"y"});
  const std::string bytes = b.model().SerializeAsString();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW((void)import_onnx(std::as_bytes(std::span(bytes).first(size)), {}), Error) << size;
  }
}

}  // namespace
}  // namespace hedge
