// SPDX-License-Identifier: Apache-2.0
// Graphs written for any batch, and with 8-bit floats (graph/onnx_form.h).
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/passes/passes.h"
#include "graph/reference_executor.h"
#include "onnx/export.h"
#include "onnx/exported.h"
#include "onnx/format.pb.h"
#include "onnx/import.h"
#include "quant/qdq.h"
#include "quant/quantize.h"
#include "support/early_exit_nets.h"
#include "support/nets.h"

namespace hedge {
namespace {

using test::parse;
using test::plain;

TEST(BatchExport, NetsRunWithEachBatchThatTheirGraphCanHave) {
  for (const auto& [name, make] : test::small_nets()) {
    SCOPED_TRACE(name);
    const Graph graph = plain(make());
    const std::string bytes = export_onnx(graph, {.opset = 19, .any_batch = true});
    for (const std::int64_t batch : {1, 3}) {
      Graph meaning = graph;
      set_batch(meaning, batch);
      const Tensor input = test::noise_tensor(meaning.input_type(0).shape, 3);
      const auto expected = execute(meaning, std::vector<Tensor>{input});
      const Graph read = import_onnx(std::as_bytes(std::span(bytes)),
                                     {.batch = batch, .folder = {}, .shapes = {}});
      const auto actual = execute(read, std::vector<Tensor>{input});
      ASSERT_EQ(actual.size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(actual[i].shape(), expected[i].shape());
        EXPECT_LT(test::relative_error(actual[i].values<float>(), expected[i].values<float>()),
                  1e-6);
      }
    }
  }
}

TEST(BatchExport, OnlyTheFirstExtentOfInputsAndOutputsIsOpen) {
  const Graph graph = plain(test::early_exit_net());
  const auto model = parse(export_onnx(graph, {.any_batch = true}));
  const auto check = [](const onnx::ValueInfoProto& info) {
    const auto& shape = info.type().tensor_type().shape();
    ASSERT_GE(shape.dim_size(), 2);
    EXPECT_EQ(shape.dim(0).dim_param(), "batch");
    for (int i = 1; i < shape.dim_size(); ++i) EXPECT_GT(shape.dim(i).dim_value(), 0);
  };
  for (const auto& input : model.graph().input()) check(input);
  for (const auto& output : model.graph().output()) check(output);
  const auto fixed = parse(export_onnx(graph, {}));
  EXPECT_EQ(fixed.graph().input(0).type().tensor_type().shape().dim(0).dim_value(), 1);
}

/// One layer in 8-bit floats between others.
TEST(Float8Export, ValuesAndWeightsStandBehindPairs) {
  test::GraphBuilder g;
  const ValueId x = g.node("Relu", {g.conv(g.input({1, 3, 8, 8}), 3, 8)});
  const ValueId y = g.conv(x, 8, 8);
  Graph graph = g.finish({g.node("Flatten", {g.node("Add", {x, y})})});
  optimize(graph);
  const std::string second = quantizable_layers(graph).back();
  const Node& layer = *std::ranges::find(graph.nodes, second, &Node::name);
  const std::string held = graph.value(layer.inputs[0]).name;
  OnnxForm form{.opset = 19, .floats = FloatType::kFloat16};
  form.float8 = Float8Form{.activations = {{held, 2.0}}, .layers = {second}};
  const auto model = parse(export_onnx(to_qdq(graph), form));
  std::map<std::string, int> count;
  for (const auto& node : model.graph().node()) ++count[node.op_type()];
  EXPECT_EQ(count["QuantizeLinear"], 1);    // The value, for all its readers.
  EXPECT_EQ(count["DequantizeLinear"], 2);  // And the weights.
  for (const auto& node : model.graph().node()) {
    if (node.name() == second) {
      EXPECT_EQ(node.input(0), held + "_from_float8");
      EXPECT_TRUE(node.input(1).ends_with("_from_float8"));
    } else if (node.op_type() == "Add") {  // The residual.
      EXPECT_TRUE(node.input(0) == held + "_from_float8" || node.input(1) == held + "_from_float8");
    }
  }
  for (const auto& tensor : model.graph().initializer()) {
    if (tensor.name() != held + "_float8_scale") continue;
    EXPECT_EQ(tensor.data_type(), onnx::TensorProto::FLOAT16);
    EXPECT_EQ(tensor.raw_data(), std::string("\x92\x1C", 2));  // 2/448 = 0.0044642857.
  }
}

}  // namespace
}  // namespace hedge
