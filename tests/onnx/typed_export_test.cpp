// SPDX-License-Identifier: Apache-2.0
// Graphs written in other types and opsets than they are held in (graph/onnx_form.h).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/float16.h"
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
#include "support/quantized.h"

namespace hedge {
namespace {

using test::parse;
using test::plain;

std::vector<Tensor> run(const std::string& bytes, const Tensor& input) {
  return execute(import_onnx(std::as_bytes(std::span(bytes)), {}), std::vector<Tensor>{input});
}

/// Of all initializers in floating point, the types.
std::map<int, int> float_types(const onnx::ModelProto& model) {
  std::map<int, int> types;
  for (const auto& tensor : model.graph().initializer()) {
    const int type = tensor.data_type();
    if (type == onnx::TensorProto::FLOAT || type == onnx::TensorProto::FLOAT16 ||
        type == onnx::TensorProto::BFLOAT16) {
      ++types[type];
    }
  }
  return types;
}

TEST(TypedExport, NetsComputeTheSameInEveryForm) {
  struct Case {
    OnnxForm form;
    double tolerance;
  };
  for (const auto& [name, make] : test::small_nets()) {
    const Graph graph = plain(make());
    const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
    const auto expected = execute(graph, std::vector<Tensor>{input});
    for (const Case& c : {Case{{}, 1e-6},
                          {{.opset = 19}, 1e-6},
                          {{.opset = 19, .floats = FloatType::kFloat16}, 0.02},
                          {{.opset = 19, .floats = FloatType::kBfloat16}, 0.1}}) {
      SCOPED_TRACE(name + " opset " + std::to_string(c.form.opset));
      const auto actual = run(export_onnx(graph, c.form), input);
      ASSERT_EQ(actual.size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_LT(test::relative_error(actual[i].values<float>(), expected[i].values<float>()),
                  c.tolerance);
      }
    }
  }
}

TEST(TypedExport, BordersStayFloat32AndEverythingInsideHasTheType) {
  const Graph graph = plain(test::early_exit_net());
  const auto model = parse(export_onnx(graph, {.opset = 19, .floats = FloatType::kFloat16}));
  EXPECT_EQ(model.opset_import(0).version(), 19);
  EXPECT_EQ(float_types(model),
            (std::map<int, int>{{onnx::TensorProto::FLOAT16, float_types(model).begin()->second}}));
  ASSERT_EQ(model.graph().output_size(), 2);
  for (const auto& border :
       {model.graph().input(0), model.graph().output(0), model.graph().output(1)}) {
    EXPECT_EQ(border.type().tensor_type().elem_type(), onnx::TensorProto::FLOAT);
  }
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    EXPECT_EQ(model.graph().output(static_cast<int>(i)).name(), graph.value(graph.outputs[i]).name);
  }
  EXPECT_EQ(model.graph().input(0).name(), graph.value(graph.inputs[0].value).name);
  const auto casts = std::count_if(model.graph().node().begin(), model.graph().node().end(),
                                   [](const auto& node) { return node.op_type() == "Cast"; });
  EXPECT_EQ(casts, 3);
}

TEST(TypedExport, AnInputThatIsAnOutputTooGetsANameOfItsOwn) {
  Graph graph = plain(test::early_exit_net());
  graph.outputs.push_back(graph.inputs[0].value);
  const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
  for (const FloatType floats : {FloatType::kFloat32, FloatType::kFloat16}) {
    const std::string bytes = export_onnx(graph, {.opset = 19, .floats = floats});
    const auto model = parse(bytes);
    EXPECT_NE(model.graph().output(2).name(), model.graph().input(0).name());
    const auto results = run(bytes, input);
    ASSERT_EQ(results.size(), 3U);
    EXPECT_LT(test::relative_error(results[2].values<float>(), input.values<float>()), 1e-6);
  }
}

TEST(TypedExport, ANodeOfAnotherTypeStandsBetweenCasts) {
  const Graph graph = plain(test::early_exit_net());
  const auto conv = std::find_if(graph.nodes.begin() + 1, graph.nodes.end(),
                                 [](const Node& node) { return node.op->name == "Conv"; });
  const auto model = parse(export_onnx(
      graph,
      {.opset = 19, .floats = FloatType::kFloat16, .nodes = {{conv->name, FloatType::kFloat32}}}));
  EXPECT_EQ(float_types(model).at(onnx::TensorProto::FLOAT),
            static_cast<int>(conv->inputs.size()) - 1);
  std::map<std::string, std::string> made_by;
  for (const auto& node : model.graph().node()) made_by[node.output(0)] = node.op_type();
  for (const auto& node : model.graph().node()) {
    if (node.name() != conv->name) continue;
    EXPECT_EQ(made_by.at(node.input(0)), "Cast");
    for (const auto& reader : model.graph().node()) {
      for (const auto& input : reader.input()) {
        if (input == node.output(0)) {
          EXPECT_EQ(reader.op_type(), "Cast");
        }
      }
    }
  }
}

TEST(TypedExport, WeightsInFloatingPointGetAQuantizerThatGivesTheSameIntegers) {
  const Graph graph = test::quantized(test::early_exit_net());
  const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
  const Graph stored = to_qdq(graph);
  const Graph floating = to_qdq(graph, false);
  const auto count = [](const Graph& g, const char* op) {
    return std::count_if(g.nodes.begin(), g.nodes.end(),
                         [op](const Node& node) { return node.op->name == op; });
  };
  EXPECT_LT(count(stored, "QuantizeLinear"), count(stored, "DequantizeLinear"));
  EXPECT_EQ(count(floating, "QuantizeLinear"), count(floating, "DequantizeLinear"));
  const auto a = execute(stored, std::vector<Tensor>{input});
  const auto b = run(export_onnx(floating), input);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_LT(test::relative_error(b[i].values<float>(), a[i].values<float>()), 1e-6);
  }
}

TEST(TypedExport, ScalesInSixteenBitsStayAboveZero) {
  Graph graph = test::quantized(test::early_exit_net());
  for (Value& value : graph.values) {
    if (value.quantization && value.constant) value.quantization->scales.front() = 1e-12F;
  }
  const auto model =
      parse(export_onnx(to_qdq(graph), {.opset = 19, .floats = FloatType::kFloat16}));
  int scales = 0;
  for (const auto& tensor : model.graph().initializer()) {
    if (tensor.name().find("_scale") == std::string::npos) continue;
    ++scales;
    ASSERT_EQ(tensor.data_type(), onnx::TensorProto::FLOAT16);
    for (std::size_t i = 0; i < tensor.raw_data().size(); i += 2) {
      EXPECT_FALSE(tensor.raw_data()[i] == 0 && tensor.raw_data()[i + 1] == 0) << tensor.name();
    }
  }
  EXPECT_GT(scales, 0);
}

TEST(Float16, RoundsToNearestEvenAndHoldsItsEnds) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const auto& [x, bits] : std::vector<std::pair<float, int>>{{0.F, 0},
                                                                  {-0.F, 0x8000},
                                                                  {1.F, 0x3C00},
                                                                  {-2.F, 0xC000},
                                                                  {65504.F, 0x7BFF},
                                                                  {1e9F, 0x7BFF},
                                                                  {-1e9F, 0xFBFF},
                                                                  {infinity, 0x7C00},
                                                                  {0x1p-14F, 0x0400},
                                                                  {0x1p-24F, 1},
                                                                  {0x1p-25F, 0},  // A tie.
                                                                  {0x3p-25F, 2},  // Likewise.
                                                                  {1 + 0x1p-11F, 0x3C00},
                                                                  {1 + 0x3p-11F, 0x3C02},
                                                                  {2 - 0x1p-12F, 0x4000}}) {
    EXPECT_EQ(half_from_float(x), bits) << x;
  }
  EXPECT_GT(half_from_float(std::nanf("")) & 0x7FFF, 0x7C00);
  for (const auto& [x, bits] : std::vector<std::pair<float, int>>{{1.F, 0x3F80},
                                                                  {1 + 0x1p-8F, 0x3F80},
                                                                  {1 + 0x3p-8F, 0x3F82},
                                                                  {3.4e38F, 0x7F7F},
                                                                  {infinity, 0x7F80},
                                                                  {-infinity, 0xFF80}}) {
    EXPECT_EQ(bfloat16_from_float(x), bits) << x;
  }
  EXPECT_GT(bfloat16_from_float(std::nanf("")) & 0x7FFF, 0x7F80);
}

}  // namespace
}  // namespace hedge
