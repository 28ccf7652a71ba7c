// SPDX-License-Identifier: Apache-2.0
#include "onnx/normalize.h"

#include <gtest/gtest.h>

#include "graph/reference_executor.h"
#include "hedge/error.h"
#include "support/graph_builder.h"

namespace hedge {
namespace {

using test::GraphBuilder;
using AttributeList = std::vector<std::pair<std::string, Attributes::Value>>;

/// A node of one input (the graph's) and constants, as an old opset wrote it, after normalisation.
Graph normalized(const std::string& op_type, std::int64_t opset, const Shape& shape,
                 const std::vector<Tensor>& constants, const AttributeList& attributes) {
  GraphBuilder g;
  std::vector<ValueId> inputs{g.input(shape)};
  for (const Tensor& tensor : constants) inputs.push_back(g.constant(tensor));
  Graph graph = g.unfinished();
  Node node;
  node.name = "old";
  node.op = operator_for("", op_type);
  for (const auto& [name, value] : attributes) node.attributes.set(name, value);
  node.inputs = inputs;
  node.outputs = {graph.add_value("y")};
  normalize(graph, node, op_type, opset);
  graph.outputs = node.outputs;
  graph.nodes.push_back(std::move(node));
  infer_shapes(graph);
  return graph;
}

std::vector<float> run(const Graph& graph, const std::vector<float>& x) {
  const std::vector<Tensor> input{Tensor::from<float>(graph.input_type(0).shape, x)};
  const Tensor y = execute(graph, input)[0];
  return {y.values<float>().begin(), y.values<float>().end()};
}

Tensor floats(const std::vector<float>& values) {
  return Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
}

std::string refusal(const std::string& op_type, std::int64_t opset,
                    const AttributeList& attributes) {
  try {
    (void)normalized(op_type, opset, {1, 2, 1, 3}, {}, attributes);
  } catch (const Error& error) {
    return error.what();
  }
  return "it was taken";
}

// The expected values are ONNX Runtime's.
TEST(Normalize, UpsampleIsAResizeFromTheFirstPixelOn) {
  const std::vector<float> nearest = {1, 1, 2, 2, 3, 3};
  const std::vector<float> linear = {1, 1.5, 2, 2.5, 3, 3};
  for (const std::string mode : {"nearest", "linear", "bilinear"}) {
    const auto& expected = mode == "nearest" ? nearest : linear;
    const AttributeList with_scales{{"mode", mode}, {"scales", std::vector<float>{1, 1, 1, 2}}};
    EXPECT_EQ(run(normalized("Upsample", 7, {1, 1, 1, 3}, {}, with_scales), {1, 2, 3}), expected);
    for (const auto& [op, opset] : {std::pair{"Upsample", 9}, std::pair{"Resize", 10}}) {
      EXPECT_EQ(run(normalized(op, opset, {1, 1, 1, 3}, {floats({1, 1, 1, 2})}, {{"mode", mode}}),
                    {1, 2, 3}),
                expected)
          << op << mode;
    }
  }
}

TEST(Normalize, ResizeOfOpset10ShrinksToTheNextPixel) {
  const Graph shrunk = normalized("Resize", 10, {1, 1, 2, 4}, {floats({1, 1, 0.6F, 0.6F})},
                                  {{"mode", std::string("nearest")}});
  EXPECT_EQ(run(shrunk, {1, 2, 3, 4, 5, 6, 7, 8}), (std::vector<float>{1, 3}));
}

TEST(Normalize, AllFloatingPointIsFloat32) {
  for (const std::int64_t to : {1, 10, 11, 16}) {
    const Graph graph = normalized("Cast", 13, {2}, {}, {{"to", to}});
    EXPECT_EQ(graph.value(graph.outputs[0]).type.type, DataType::kFloat32) << to;
  }
  EXPECT_NE(refusal("Cast", 13, {{"to", std::int64_t{8}}}).find("attribute to"), std::string::npos);
  EXPECT_NE(refusal("Cast", 13, {{"to", std::int64_t{1} << 40}}).find("attribute to"),
            std::string::npos);
}

TEST(Normalize, TopKWithItsNumberAsAnAttribute) {
  const Graph graph = normalized("TopK", 7, {4}, {}, {{"k", std::int64_t{2}}});
  EXPECT_EQ(run(graph, {1, 4, 2, 3}), (std::vector<float>{4, 3}));
}

TEST(Normalize, BatchNormalizationOverEachPlaceIsRefused) {
  EXPECT_NE(refusal("BatchNormalization", 7, {{"spatial", std::int64_t{0}}}).find("spatial"),
            std::string::npos);
}

}  // namespace
}  // namespace hedge
