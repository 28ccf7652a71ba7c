// SPDX-License-Identifier: Apache-2.0
// Ways in which exporters write what a model holds: constants, external data, other domains,
// shapes.
#include <gtest/gtest.h>

#include <fstream>

#include "base/log.h"
#include "onnx/model_builder.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

using namespace test;
using onnx::AttributeProto;

// ---- constants

onnx::AttributeProto& constant(ModelBuilder& b, const std::string& form,
                               AttributeProto::AttributeType type) {
  auto& attribute = *b.node("Constant", {}, {"c"}).add_attribute();
  attribute.set_name(form);
  attribute.set_type(type);
  b.output("c");
  return attribute;
}

Tensor result(ModelBuilder& b) {
  return execute(b.import(), {}).at(0);
}

TEST(Exports, ConstantInEachOfItsForms) {
  ModelBuilder integer;
  constant(integer, "value_int", AttributeProto::INT).set_i(7);
  EXPECT_EQ(result(integer).shape(), Shape{});
  EXPECT_EQ(result(integer).to_int64(), std::vector<std::int64_t>{7});
  ModelBuilder integers;
  auto& pair = constant(integers, "value_ints", AttributeProto::INTS);
  pair.add_ints(7);
  pair.add_ints(8);
  EXPECT_EQ(result(integers).shape(), Shape{2});
  EXPECT_EQ(result(integers).to_int64(), (std::vector<std::int64_t>{7, 8}));
  ModelBuilder number;
  constant(number, "value_float", AttributeProto::FLOAT).set_f(0.5);
  EXPECT_EQ(result(number).values<float>()[0], 0.5);
  EXPECT_EQ(result(number).shape(), Shape{});
  ModelBuilder numbers;
  auto& two = constant(numbers, "value_floats", AttributeProto::FLOATS);
  two.add_floats(0.5);
  two.add_floats(2);
  EXPECT_EQ(result(numbers).shape(), Shape{2});
  EXPECT_EQ(result(numbers).values<float>()[1], 2);
  ModelBuilder tensor;
  auto& value = *constant(tensor, "value", AttributeProto::TENSOR).mutable_t();
  value.set_data_type(onnx::TensorProto::BOOL);
  value.add_dims(2);
  value.add_int32_data(1);
  value.add_int32_data(0);
  EXPECT_EQ(result(tensor).type(), DataType::kBool);
  EXPECT_TRUE(result(tensor).values<bool>()[0]);
}

TEST(Exports, ConstantsOfTextAndSparseOnesAreRefused) {
  ModelBuilder text;
  constant(text, "value_string", AttributeProto::STRING).set_s("a");
  EXPECT_TRUE(mentions(text.refusal(), {"Constant_1", "value_string", "text"})) << text.refusal();
  ModelBuilder sparse;
  constant(sparse, "sparse_value", AttributeProto::SPARSE_TENSOR);
  EXPECT_TRUE(mentions(sparse.refusal(), {"Constant_1", "SPARSE_TENSOR"})) << sparse.refusal();
}

// ---- external data

class ExternalData : public testing::Test {
 protected:
  ExternalData() {
    std::ofstream(folder_.path() / "weights.bin", std::ios::binary)
        .write(reinterpret_cast<const char*>(kStored.data()), 16);
    b_.input("x", {1, 2}).output("y").floats("w", {2}, {});
    b_.node("Add", {"x", "w"}, {"y"});
  }
  /// y for x = 0: the weights as read; or the refusal.
  std::string read(const std::string& location, const std::string& offset,
                   const std::string& length) {
    auto& tensor = *b_.graph().mutable_initializer(0);
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    tensor.clear_external_data();
    for (const auto& [key, value] :
         {std::pair{"location", location}, {"offset", offset}, {"length", length}}) {
      if (value.empty()) continue;
      auto& entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
    const ImportOptions options{.batch = 1, .folder = folder_.path()};
    const std::string refusal = b_.refusal(options);
    if (refusal != "imported") return refusal;
    const auto values = run(b_.import(options), {0, 0});
    return std::to_string(int(values[0])) + " " + std::to_string(int(values[1]));
  }

  const std::vector<float> kStored{1, 2, 3, 4};
  TemporaryFolder folder_;
  ModelBuilder b_;
};

TEST_F(ExternalData, OffsetAndLength) {
  EXPECT_EQ(read("weights.bin", "", ""), "1 2");
  EXPECT_EQ(read("weights.bin", "4", "8"), "2 3");
  EXPECT_EQ(read("./weights.bin", "8", ""), "3 4");
}

TEST_F(ExternalData, WhatDoesNotFitIsRefused) {
  for (const auto& [offset, length, word] : {std::tuple{"12", "", "behind the end"},
                                             {"17", "", "behind the end"},
                                             {"18446744073709551615", "", "behind the end"},
                                             {"99999999999999999999", "", "no number"},
                                             {"-4", "", "no number"},
                                             {"0", "4", "length"},
                                             {"0", "x", "no number"}}) {
    EXPECT_TRUE(mentions(read("weights.bin", offset, length), {"'w'", word}))
        << read("weights.bin", offset, length);
  }
}

TEST_F(ExternalData, PathsThatLeadOutOfTheFolderAreRefused) {
  std::filesystem::create_symlink("/etc", folder_.path() / "link");
  for (const char* location :
       {"", "/etc/passwd", "../weights.bin", "a/../../weights.bin", "link/passwd"}) {
    EXPECT_TRUE(mentions(read(location, "", ""), {"'w'", "not inside"})) << read(location, "", "");
  }
  EXPECT_TRUE(mentions(read("missing.bin", "", ""), {"'w'", "missing.bin"}));
}

// ---- other domains

TEST(Exports, OnnxRuntimesQuantiserWritesItsOwnDomain) {
  ModelBuilder b(11);  // Older than QuantizeLinear with an axis, but not what it means there.
  b.input("x", {1, 3}).output("y").floats("scale", {}, {0.5});
  b.node("QuantizeLinear", {"x", "scale"}, {"q"}).set_domain("com.microsoft");
  b.node("DequantizeLinear", {"q", "scale"}, {"y"}).set_domain("com.microsoft");
  EXPECT_EQ(run(b.import(), {0.6F, 1.3F, 1000}), (std::vector<float>{0.5, 1.5, 127.5}));
}

TEST(Exports, QuantisedOperatorsAreRefusedWithTheFormatThatRuns) {
  ModelBuilder b;
  b.input("x", {1, 3}).output("y");
  b.node("DynamicQuantizeLinear", {"x"}, {"q"});
  b.node("ConvInteger", {"q"}, {"i"});
  b.node("QLinearAdd", {"i"}, {"y"}).set_domain("com.microsoft");
  EXPECT_TRUE(mentions(b.refusal(), {"QDQ", "DynamicQuantizeLinear", "ConvInteger",
                                     "com.microsoft.QLinearAdd (node QLinearAdd_3)"}))
      << b.refusal();
}

// ---- shapes

TEST(Exports, StatedShapesFillWhatTheFileLeavesOpen) {
  ModelBuilder b;
  b.input("x", {0, 3, 0, 0}).output("y");
  b.node("Relu", {"x"}, {"y"});
  for (const char* name : {"", "x"}) {
    EXPECT_EQ(
        b.import({.batch = 9, .folder = {}, .shapes = {{name, {2, 3, 4, 5}}}}).input_type(0).shape,
        (Shape{2, 3, 4, 5}));
  }
  const auto refusal = [&](const std::string& name, const Shape& shape) {
    return b.refusal({.batch = 1, .folder = {}, .shapes = {{name, shape}}});
  };
  EXPECT_TRUE(mentions(refusal("", {2, 4, 4, 5}), {"'x'", "Nx3xNxN", "2x4x4x5", "contradicts"}));
  EXPECT_TRUE(mentions(refusal("", {3, 4, 5}), {"contradicts"}));
  EXPECT_TRUE(mentions(refusal("z", {2, 3, 4, 5}), {"'z'", "'x'"}));
  EXPECT_TRUE(mentions(b.refusal(), {"dynamic shape Nx3xNxN", "--shape=1x3x224x224"}));
  b.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  EXPECT_TRUE(mentions(b.refusal(), {"'x'", "no shape", "--shape"}));
  EXPECT_EQ(refusal("x", {7}), "imported");
  b.input("z", {1}).output("also");
  b.node("Neg", {"z"}, {"also"});
  EXPECT_TRUE(mentions(refusal("", {7}), {"names no input", "'x' and 'z'"})) << refusal("", {7});
}

TEST(Exports, InputsThatAreNoTensorsOfNumbers) {
  ModelBuilder b;
  b.input("x", {1}, onnx::TensorProto::STRING).output("y");
  b.node("Identity", {"x"}, {"y"});
  EXPECT_TRUE(mentions(b.refusal(), {"'x'", "STRING"})) << b.refusal();
  b.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(99);
  EXPECT_TRUE(mentions(b.refusal(), {"'x'", "99"})) << b.refusal();
  b.graph().mutable_input(0)->mutable_type()->mutable_sequence_type();
  EXPECT_TRUE(mentions(b.refusal(), {"'x'", "sequence"})) << b.refusal();
  b.graph().mutable_input(0)->mutable_type()->mutable_optional_type();
  EXPECT_TRUE(mentions(b.refusal(), {"'x'", "absent"})) << b.refusal();
  b.graph().mutable_input(0)->clear_type();
  EXPECT_TRUE(mentions(b.refusal(), {"'x'"})) << b.refusal();
}

TEST(Exports, NamesThatComeTwice) {
  ModelBuilder inputs;
  inputs.input("x", {1}).input("x", {1}).output("y");
  inputs.node("Relu", {"x"}, {"y"});
  EXPECT_TRUE(mentions(inputs.refusal(), {"'x'", "twice"})) << inputs.refusal();
  ModelBuilder weights;
  weights.input("x", {1}).output("y").floats("w", {1}, {1}).floats("w", {1}, {2});
  weights.node("Add", {"x", "w"}, {"y"});
  EXPECT_TRUE(mentions(weights.refusal(), {"'w'", "twice"})) << weights.refusal();
  ModelBuilder made;
  made.input("x", {1}).output("y").floats("w", {1}, {1});
  made.node("Relu", {"x"}, {"w"});
  made.node("Add", {"x", "w"}, {"y"});
  EXPECT_TRUE(mentions(made.refusal(), {"'w'", "twice"})) << made.refusal();
}

TEST(Exports, OpsetsSevenToTwentyOneAndNewerWithAWarning) {
  std::vector<std::string> warnings;
  set_log_sink([&](LogLevel, std::string_view text) { warnings.emplace_back(text); });
  for (std::int64_t opset = 7; opset <= 22; ++opset) {
    ModelBuilder b(opset);
    b.input("x", {1, 2}).output("y");
    b.node("Relu", {"x"}, {"y"});
    EXPECT_EQ(run(b.import(), {-1, 2}), (std::vector<float>{0, 2})) << opset;
    EXPECT_EQ(warnings.size(), opset > 21 ? 1U : 0U) << opset;
  }
  set_log_sink({});
  EXPECT_TRUE(mentions(warnings.back(), {"opset 22", "newer than 21"}));
}

TEST(Exports, ControlFlowIsNamed) {
  ModelBuilder b;
  b.input("x", {1}).output("y");
  b.node("If", {"x"}, {"a"});
  b.node("Loop", {"a"}, {"b"});
  b.node("Scan", {"b"}, {"y"});
  EXPECT_TRUE(mentions(
      b.refusal(), {"control flow", "If (node If_1)", "Loop (node Loop_2)", "Scan (node Scan_3)"}))
      << b.refusal();
}

}  // namespace
}  // namespace hedge
