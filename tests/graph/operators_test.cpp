// SPDX-License-Identifier: Apache-2.0
// What ONNX's node tests (tests/onnx/conformance) leave out: limits of the types, old forms,
// refusals, and numbers out of foreign files that would overflow or take for ever.
#include "graph/operators/operator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "graph/reference_executor.h"
#include "hedge/error.h"
#include "support/graph_builder.h"

namespace hedge {
namespace {

using test::Ints;
using AttributeList = std::vector<std::pair<std::string, Attributes::Value>>;

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class T>
Tensor tensor(const Shape& shape, const std::vector<T>& values) {
  return Tensor::from<T>(shape, values);
}
Tensor floats(const std::vector<float>& values) {
  return tensor<float>({static_cast<std::int64_t>(values.size())}, values);
}
Tensor ints(const Ints& values) {
  return tensor<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}
template <class T>
std::vector<T> values(const Tensor& tensor) {
  const auto span = tensor.values<T>();
  return {span.begin(), span.end()};
}

/// The outputs of one node whose inputs are all known; their types are what inference said.
std::vector<Tensor> run(const std::string& op, const std::vector<Tensor>& inputs,
                        const AttributeList& attributes = {}, std::size_t outputs = 1) {
  Node node;
  node.op = &get_operator(op);
  for (const auto& [name, value] : attributes) node.attributes.set(name, value);
  std::vector<Value> known;
  for (const Tensor& input : inputs) known.push_back({"", {input.type(), input.shape()}, input});
  std::vector<const Value*> pointers;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    pointers.push_back(inputs[i] ? &known[i] : nullptr);
  }
  for (std::size_t i = 0; i < outputs; ++i) node.outputs.push_back(static_cast<ValueId>(i));
  const auto types = node.op->infer(node, pointers);
  auto results = node.op->execute(node, inputs);
  for (std::size_t i = 0; i < outputs; ++i) {
    EXPECT_EQ(types.at(i), (TensorType{results.at(i).type(), results.at(i).shape()})) << op;
  }
  return results;
}

template <class T>
std::vector<T> result(const std::string& op, const std::vector<Tensor>& inputs,
                      const AttributeList& attributes = {}) {
  return values<T>(run(op, inputs, attributes)[0]);
}

/// The message with which it is refused.
std::string refusal(const std::string& op, const std::vector<Tensor>& inputs,
                    const AttributeList& attributes = {}, std::size_t outputs = 1) {
  try {
    (void)run(op, inputs, attributes, outputs);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return "it ran";
}

void expect_refusal(const std::string& word, const std::string& text) {
  EXPECT_NE(text.find(word), std::string::npos) << text;
}

TEST(Operators, ThoseOfTheModelZoo) {
  for (const char* name : {"Conv",
                           "BatchNormalization",
                           "LRN",
                           "InstanceNormalization",
                           "LayerNormalization",
                           "GroupNormalization",
                           "Relu",
                           "LeakyRelu",
                           "PRelu",
                           "Clip",
                           "Sigmoid",
                           "HardSigmoid",
                           "HardSwish",
                           "Tanh",
                           "Elu",
                           "Gelu",
                           "Erf",
                           "Softmax",
                           "LogSoftmax",
                           "Exp",
                           "Sqrt",
                           "Pow",
                           "Reciprocal",
                           "Neg",
                           "Abs",
                           "Add",
                           "Sub",
                           "Mul",
                           "Div",
                           "Min",
                           "Max",
                           "Sum",
                           "Where",
                           "Equal",
                           "MaxPool",
                           "AveragePool",
                           "GlobalAveragePool",
                           "GlobalMaxPool",
                           "ReduceMean",
                           "ReduceSum",
                           "ReduceMax",
                           "Gemm",
                           "MatMul",
                           "Flatten",
                           "Reshape",
                           "Transpose",
                           "Squeeze",
                           "Unsqueeze",
                           "Concat",
                           "Split",
                           "Slice",
                           "Gather",
                           "Expand",
                           "Tile",
                           "Pad",
                           "Resize",
                           "DepthToSpace",
                           "Shape",
                           "Size",
                           "Range",
                           "Constant",
                           "ConstantOfShape",
                           "Cast",
                           "Identity",
                           "Dropout",
                           "ArgMax",
                           "TopK",
                           "QuantizeLinear",
                           "DequantizeLinear"}) {
    EXPECT_NE(find_operator(name), nullptr) << name;
  }
  EXPECT_EQ(find_operator("ConvTranspose"), nullptr);  // Refused by name.
}

TEST(Operators, IntegersAtTheirLimits) {
  EXPECT_EQ(result<std::int64_t>("Neg", {ints({kLowest, 3})}), (Ints{kLowest, -3}));
  EXPECT_EQ(result<std::int64_t>("Abs", {ints({kLowest, -3})}), (Ints{kLowest, 3}));
  EXPECT_EQ(result<std::int64_t>("Add", {ints({kHighest}), ints({1})}), (Ints{kLowest}));
  EXPECT_EQ(result<std::int64_t>("Mul", {ints({kHighest}), ints({2})}), (Ints{-2}));
  EXPECT_EQ(result<std::int64_t>("Div", {ints({kLowest, -7}), ints({-1, 2})}), (Ints{kLowest, -3}));
  EXPECT_EQ(result<std::int64_t>("Mod", {ints({kLowest, -7}), ints({-1, 2})}), (Ints{0, 1}));
  EXPECT_EQ(result<std::int64_t>("Pow", {ints({10}), ints({30})}), (Ints{kHighest}));
  EXPECT_EQ(result<std::int64_t>("ReduceSum", {ints({kHighest, 1})}), (Ints{kLowest}));
  EXPECT_EQ(result<std::int64_t>("ReduceMean", {ints({-3, -4})}), (Ints{-3}));
  EXPECT_EQ(result<std::int64_t>("ReduceL1", {ints({-3, 4})}), (Ints{7}));
  const Tensor bytes = tensor<std::int8_t>({3}, {-128, 100, 7});
  EXPECT_EQ(result<std::int8_t>("Div", {bytes, tensor<std::int8_t>({1}, {-1})}),
            (std::vector<std::int8_t>{-128, -100, -7}));
  EXPECT_EQ(result<std::uint8_t>(
                "Div", {tensor<std::uint8_t>({1}, {0}), tensor<std::uint8_t>({1}, {255})}),
            (std::vector<std::uint8_t>{0}));
  expect_refusal("division by zero", refusal("Div", {ints({1}), ints({0})}));
  expect_refusal("division by zero", refusal("Mod", {ints({1}), ints({0})}));
  expect_refusal("fmod", refusal("Mod", {floats({1}), floats({2})}));
}

TEST(Operators, NanIsNotLost) {
  for (const char* op : {"Min", "Max"}) {
    const auto y = result<float>(op, {floats({kNan, 1, 2}), floats({1, kNan, 3})});
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]) && !std::isnan(y[2])) << op;
  }
  for (const char* op : {"ReduceMin", "ReduceMax"}) {
    EXPECT_TRUE(std::isnan(result<float>(op, {floats({1, kNan, 3})})[0])) << op;
  }
}

TEST(Operators, RanksNansAndTies) {
  const Tensor x = floats({1, kNan, 3, kInfinity, 3});
  const auto top = run("TopK", {x, ints({5})}, {}, 2);
  EXPECT_EQ(values<std::int64_t>(top[1]), (Ints{1, 3, 2, 4, 0}));
  const auto bottom = run("TopK", {x, ints({5})}, {{"largest", std::int64_t{0}}}, 2);
  EXPECT_EQ(values<std::int64_t>(bottom[1]), (Ints{0, 2, 4, 3, 1}));
  EXPECT_EQ(result<std::int64_t>("ArgMax", {x}), (Ints{1}));
  EXPECT_EQ(result<std::int64_t>("ArgMax", {floats({3, 1, 3})}), (Ints{0}));
  EXPECT_EQ(
      result<std::int64_t>("ArgMax", {floats({3, 1, 3})}, {{"select_last_index", std::int64_t{1}}}),
      (Ints{2}));
  expect_refusal("6 best of 5", refusal("TopK", {x, ints({6})}));
  expect_refusal("-1 best of 5", refusal("TopK", {x, ints({-1})}));
  expect_refusal("no element", refusal("ArgMax", {floats({})}));
}

Tensor number(std::int64_t value) {
  return tensor<std::int64_t>({}, {value});
}

TEST(Operators, Ranges) {
  EXPECT_EQ(result<std::int64_t>("Range", {number(10), number(-3), number(-4)}),
            (Ints{10, 6, 2, -2}));
  EXPECT_EQ(result<std::int64_t>("Range", {number(kLowest), number(kHighest), number(kHighest)}),
            (Ints{kLowest, -1, kHighest - 1}));
  EXPECT_EQ(result<std::int64_t>("Range", {number(kHighest), number(kLowest), number(kLowest)}),
            (Ints{kHighest, -1}));
  EXPECT_EQ(result<std::int64_t>("Range", {number(3), number(3), number(1)}), Ints{});
  EXPECT_EQ(result<float>("Range", {floats({0}), floats({kNan}), floats({1})}),
            std::vector<float>{});
  expect_refusal("delta", refusal("Range", {number(0), number(1), number(0)}));
  // Too many to be allocated: said when shapes are inferred, before anything runs.
  Node node;
  node.op = &get_operator("Range");
  const std::vector<Value> known{{"", {DataType::kInt64, {}}, number(0)},
                                 {"", {DataType::kInt64, {}}, number(kHighest)},
                                 {"", {DataType::kInt64, {}}, number(1)}};
  const std::vector<const Value*> pointers{&known[0], &known[1], &known[2]};
  EXPECT_THROW((void)element_count(node.op->infer(node, pointers)[0].shape), Error);
}

TEST(Operators, GroupNormalizationOfOpset18HasOneScaleAGroup) {
  const Tensor x = test::noise_tensor({2, 6, 3, 2}, 3);
  const AttributeList two{{"num_groups", std::int64_t{2}}};
  EXPECT_EQ(result<float>("GroupNormalization", {x, floats({2, 3}), floats({-1, 1})}, two),
            result<float>("GroupNormalization",
                          {x, floats({2, 2, 2, 3, 3, 3}), floats({-1, -1, -1, 1, 1, 1})}, two));
  expect_refusal("scale",
                 refusal("GroupNormalization", {x, floats({1, 2, 3}), floats({1, 2, 3})}, two));
  expect_refusal("num_groups", refusal("GroupNormalization", {x, floats({2, 3}), floats({-1, 1})},
                                       {{"num_groups", std::int64_t{4}}}));
  expect_refusal("num_groups", refusal("GroupNormalization", {x, floats({2, 3}), floats({-1, 1})}));
}

TEST(Operators, ResizeRefusesByName) {
  const Tensor x = test::noise_tensor({1, 1, 4, 6}, 3);
  const Tensor twice = floats({1, 1, 2, 2});
  const auto with = [&](const AttributeList& attributes) {
    return refusal("Resize", {x, Tensor{}, twice}, attributes);
  };
  expect_refusal("antialias", with({{"antialias", std::int64_t{1}}}));
  expect_refusal("tf_crop_and_resize",
                 with({{"coordinate_transformation_mode", std::string("tf_crop_and_resize")}}));
  expect_refusal("nearest_mode", with({{"nearest_mode", std::string("any")}}));
  expect_refusal("mode", with({{"mode", std::string("lanczos")}}));
  const auto scaled = [&](float scale) {
    return refusal("Resize", {x, Tensor{}, floats({1, 1, 1, scale})});
  };
  for (const float scale : {0.F, -1.F, kNan, kInfinity})
    expect_refusal("a scale of", scaled(scale));
  expect_refusal("too large", scaled(1e30F));
  expect_refusal("too large", refusal("Resize", {x, {}, {}, ints({1, 1, kHighest, 1})}));
  expect_refusal("negative", refusal("Resize", {x, {}, {}, ints({1, 1, -1, 1})}));
  expect_refusal("not both", refusal("Resize", {x, {}, twice, ints({1, 1, 2, 2})}));
  expect_refusal("not both", refusal("Resize", {x}));
  expect_refusal("axes", refusal("Resize", {x, {}, floats({2, 2})}));
  // Opset 11 writes an empty tensor where an input is not meant.
  EXPECT_EQ(run("Resize", {x, floats({}), floats({}), ints({1, 1, 2, 3})})[0].shape(),
            (Shape{1, 1, 2, 3}));
}

TEST(Operators, OneZeroPointMayHaveNoAxisWhereItsScaleHasOne) {
  const Tensor x = tensor<std::int32_t>({2}, {-3, 5});
  EXPECT_EQ(result<float>("DequantizeLinear", {x, floats({0.5}), tensor<std::int32_t>({}, {1})}),
            (std::vector<float>{-2, 2}));
  expect_refusal("zero point", refusal("DequantizeLinear",
                                       {x, floats({0.5}), tensor<std::int32_t>({2}, {1, 1})}));
}

TEST(Operators, QuantizationSaturatesAndRoundsHalvesToEven) {
  const Tensor x = floats({-kInfinity, -1e9F, -0.5F, 0.5F, 1.5F, 126.6F, 1e9F, kInfinity});
  EXPECT_EQ(result<std::int8_t>("QuantizeLinear", {x, floats({1}), tensor<std::int8_t>({1}, {1})}),
            (std::vector<std::int8_t>{-128, -128, 1, 1, 3, 127, 127, 127}));
  EXPECT_EQ(result<std::uint8_t>("QuantizeLinear", {x, floats({1})}),
            (std::vector<std::uint8_t>{0, 0, 0, 0, 2, 127, 255, 255}));
  EXPECT_EQ(result<float>("DequantizeLinear", {tensor<std::int8_t>({2}, {-128, 127}), floats({0.5}),
                                               tensor<std::int8_t>({1}, {127})}),
            (std::vector<float>{-127.5, 0}));
  expect_refusal("block_size",
                 refusal("QuantizeLinear", {x, floats({1})}, {{"block_size", std::int64_t{2}}}));
  expect_refusal("output_dtype",
                 refusal("QuantizeLinear", {x, floats({1})}, {{"output_dtype", std::int64_t{17}}}));
  expect_refusal("scale",
                 refusal("QuantizeLinear", {x, floats({1, 2})}, {{"axis", std::int64_t{0}}}));
}

TEST(Operators, RefuseWhatIsForTrainingOrMakesNoSense) {
  const Tensor x = test::noise_tensor({1, 4, 4, 4}, 3);
  Tensor training(DataType::kBool, {});
  training.mutable_values<bool>()[0] = true;
  const auto of = [&](const char* op, const char* attribute, Attributes::Value value) {
    return refusal(op, {x}, {{attribute, std::move(value)}});
  };
  expect_refusal("training_mode", refusal("Dropout", {x, floats({0.5}), training}));
  expect_refusal("Indices", refusal("MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}}, 2));
  expect_refusal("approximate", of("Gelu", "approximate", std::string("erf")));
  expect_refusal("size", of("LRN", "size", std::int64_t{0}));
  expect_refusal("blocksize", of("DepthToSpace", "blocksize", std::int64_t{0}));
  expect_refusal("blocksize", of("DepthToSpace", "blocksize", kHighest));
  expect_refusal("blocksize", of("DepthToSpace", "blocksize", std::int64_t{3}));
  expect_refusal("blocksize", of("SpaceToDepth", "blocksize", std::int64_t{3}));
  expect_refusal("to", of("Cast", "to", std::int64_t{8}));
  expect_refusal("too large", refusal("Tile", {x, ints({1, 1, 1 << 30, 1 << 30})}));
  expect_refusal("negative", refusal("Tile", {x, ints({1, 1, -1, 1})}));
  expect_refusal("too large", refusal("Expand", {x, ints({1LL << 40, 1, 1, 1, 1})}));
  expect_refusal("slopes", refusal("PRelu", {floats({1}), floats({1, 2})}));
  expect_refusal("bool", refusal("Sigmoid", {training}));
  EXPECT_EQ(values<float>(run("LRN", {x}, {{"size", kHighest}})[0]).size(), 64U);
}

TEST(Operators, WhatTakesForEverIsNotEvaluated) {
  test::GraphBuilder g;
  const std::int64_t million = 1 << 20;
  const ValueId small = g.constant(test::noise_tensor({1, 1, 1, 1}, 3));
  const ValueId pooled = g.node(
      "AveragePool", {small},
      {{"kernel_shape", Ints{million, million}}, {"pads", Ints{million - 1, million - 1, 0, 0}}});
  const ValueId grown = g.node("Expand", {small, g.ints({2, million, 1, 1})});
  const ValueId x = g.input({1, 1, 1, 1});
  const Graph graph = g.finish({g.node("Add", {x, pooled}), grown});
  EXPECT_FALSE(graph.is_constant(pooled));
  EXPECT_FALSE(graph.is_constant(grown));
}

TEST(SetBatch, LeavesAScalarInputAlone) {
  test::GraphBuilder g;
  const ValueId x = g.input({1, 3}, "x");
  Graph graph = g.finish({g.node("Mul", {x, g.input({}, "scale")})});
  set_batch(graph, 4);
  EXPECT_EQ(graph.value(graph.outputs[0]).type.shape, (Shape{4, 3}));
}

}  // namespace
}  // namespace hedge
