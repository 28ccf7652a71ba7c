// SPDX-License-Identifier: Apache-2.0
// Functions that a model defines, as PyTorch's dynamo exporter writes them.
#include "onnx/functions.h"

#include <gtest/gtest.h>

#include "onnx/model_builder.h"

namespace hedge {
namespace {

using namespace test;

constexpr const char* kDomain = "pkg.torch";

onnx::FunctionProto& add_function(ModelBuilder& b, const std::string& name, const Names& inputs,
                                  const Names& outputs, std::int64_t opset = 13) {
  onnx::FunctionProto& function = *b.model().add_functions();
  function.set_name(name);
  function.set_domain(kDomain);
  for (const auto& input : inputs) function.add_input(input);
  for (const auto& output : outputs) function.add_output(output);
  function.add_opset_import()->set_version(opset);
  return function;
}

onnx::NodeProto& add_node(onnx::FunctionProto& function, const std::string& op, const Names& inputs,
                          const Names& outputs) {
  onnx::NodeProto& node = *function.add_node();
  node.set_op_type(op);
  for (const auto& name : inputs) node.add_input(name);
  for (const auto& name : outputs) node.add_output(name);
  return node;
}

void add_float(google::protobuf::RepeatedPtrField<onnx::AttributeProto>& attributes,
               const std::string& name, float value) {
  auto& attribute = *attributes.Add();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
}

void add_reference(onnx::NodeProto& node, const std::string& name, const std::string& to) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_ref_attr_name(to);
}

/// y = a Constant of the attribute `value` + x
void add_adder(ModelBuilder& b) {
  auto& function = add_function(b, "Adder", {"x"}, {"y"});
  function.add_attribute("value");
  add_reference(add_node(function, "Constant", {}, {"c"}), "value_float", "value");
  add_node(function, "Add", {"x", "c"}, {"y"});
}

TEST(Functions, ArePutInPlaceOfTheirCalls) {
  ModelBuilder b;
  b.input("x", {1, 2}).output("y");
  add_adder(b);
  auto& twice = add_function(b, "Twice", {"x"}, {"y"});  // The same names as those around it.
  add_node(twice, "Add", {"x", "x"}, {"c"});
  auto& inner = add_node(twice, "Adder", {"c"}, {"y"});
  inner.set_domain(kDomain);
  add_float(*inner.mutable_attribute(), "value", 10);
  for (const auto& [op, in, out] : {std::tuple{"Adder", "x", "c"}, std::tuple{"Twice", "c", "d"},
                                    std::tuple{"Adder", "d", "y"}}) {
    auto& call = b.node(op, {in}, {out});
    call.set_domain(kDomain);
    if (std::string(op) == "Adder") add_float(*call.mutable_attribute(), "value", 0.5);
  }
  const Graph graph = b.import();
  EXPECT_EQ(run(graph, {1, 2}), (std::vector<float>{13.5, 15.5}));
  EXPECT_EQ(graph.nodes.back().name, "Adder_3/Add_1");
}

TEST(Functions, AttributesHaveDefaultsOrStayAbsent) {
  for (const bool given : {false, true}) {
    ModelBuilder b;
    b.input("x", {1, 2}).output("y");
    auto& function = add_function(b, "Leak", {"x"}, {"y"});
    add_float(*function.mutable_attribute_proto(), "slope", 0.5);
    function.add_attribute("other");
    add_reference(add_node(function, "LeakyRelu", {"x"}, {"l"}), "alpha", "slope");
    add_reference(add_node(function, "LeakyRelu", {"l"}, {"y"}), "alpha", "other");  // 0.01
    auto& call = b.node("Leak", {"x"}, {"y"});
    call.set_domain(kDomain);
    if (given) add_float(*call.mutable_attribute(), "slope", 0.25);
    const auto y = run(b.import(), {-8, 1});
    EXPECT_FLOAT_EQ(y[0], given ? -0.02F : -0.04F);
    EXPECT_EQ(y[1], 1);
  }
}

TEST(Functions, AbsentInputsAndUnreadOutputs) {
  ModelBuilder b;
  b.input("x", {1, 2}).output("y").output("same");
  auto& function = add_function(b, "Bound", {"x", "low", "high"}, {"unread", "y", "x"});
  add_node(function, "Clip", {"x", "low", "high"}, {"y"});
  add_node(function, "Neg", {"x"}, {"unread"});
  b.floats("six", {}, {6});
  b.node("Bound", {"x", "", "six"}, {"", "y", "same"}).set_domain(kDomain);
  const Graph graph = b.import();
  const auto out =
      execute(graph, std::vector{Tensor::from<float>({1, 2}, std::vector<float>{-9, 9})});
  EXPECT_EQ(out[0].values<float>()[0], -9);
  EXPECT_EQ(out[0].values<float>()[1], 6);
  EXPECT_EQ(out[1].values<float>()[1], 9);
}

TEST(Functions, OverloadsAndOpsetsOfTheirOwn) {
  ModelBuilder b(13);
  b.input("x", {1, 2, 2}).output("y");
  for (const std::string overload : {"", "old"}) {
    auto& function = add_function(b, "Soft", {"x"}, {"y"}, overload.empty() ? 13 : 11);
    function.set_overload(overload);
    add_node(function, "Softmax", {"x"}, {"y"});
  }
  for (const std::string overload : {"", "old"}) {
    b.graph().clear_node();
    auto& call = b.node("Soft", {"x"}, {"y"});
    call.set_domain(kDomain);
    call.set_overload(overload);
    // Before opset 13 over all axes from 1 on, since along the last.
    const float expected = overload.empty() ? 0.5F : 0.25F;
    EXPECT_EQ(run(b.import(), {0, 0, 0, 0}), std::vector<float>(4, expected)) << overload;
  }
}

TEST(Functions, ThatCallThemselvesOrMultiplyAreRefused) {
  ModelBuilder b;
  b.input("x", {1, 2}).output("y");
  add_node(add_function(b, "A", {"x"}, {"y"}), "B", {"x"}, {"y"}).set_domain(kDomain);
  add_node(add_function(b, "B", {"x"}, {"y"}), "A", {"x"}, {"y"}).set_domain(kDomain);
  b.node("A", {"x"}, {"y"}).set_domain(kDomain);
  EXPECT_TRUE(mentions(b.refusal(), {"'A'", "calls itself"})) << b.refusal();

  ModelBuilder bomb;  // 10^20 nodes.
  bomb.input("x", {1, 2}).output("y");
  for (int level = 0; level < 20; ++level) {
    auto& function = add_function(bomb, "F" + std::to_string(level), {"x"}, {"y"});
    for (int i = 0; i < 10; ++i) {
      add_node(function, "F" + std::to_string(level + 1), {"x"},
               {i == 0 ? "y" : "z" + std::to_string(i)})
          .set_domain(kDomain);
    }
  }
  add_node(add_function(bomb, "F20", {"x"}, {"y"}), "Relu", {"x"}, {"y"});
  bomb.node("F0", {"x"}, {"y"}).set_domain(kDomain);
  EXPECT_TRUE(mentions(bomb.refusal(), {"too many nodes"})) << bomb.refusal();

  ModelBuilder empty;  // As many calls, but nothing at the end of them.
  empty.model() = bomb.model();
  empty.model().mutable_functions(20)->clear_node();
  EXPECT_TRUE(mentions(empty.refusal(), {"too many"})) << empty.refusal();
}

TEST(Functions, WhatTheyLackIsNamed) {
  ModelBuilder b;
  b.input("x", {1, 2}).output("y");
  add_node(add_function(b, "A", {"x"}, {"y"}), "Foo", {"x"}, {"y"});
  auto& call = b.node("A", {"x"}, {"y"});
  call.set_domain(kDomain);
  EXPECT_TRUE(mentions(b.refusal(), {"Foo", "A_1/Foo_0"})) << b.refusal();
  call.add_input("x");
  EXPECT_TRUE(mentions(b.refusal(), {"A_1", "more inputs"})) << b.refusal();
  add_function(b, "A", {"x"}, {"y"});
  EXPECT_TRUE(mentions(b.refusal(), {"'A'", "twice"})) << b.refusal();
}

}  // namespace
}  // namespace hedge
