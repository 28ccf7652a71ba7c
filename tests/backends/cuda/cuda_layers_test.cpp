// SPDX-License-Identifier: Apache-2.0
// Each kind of layer of the cuda backend against the reference executor: after the graph's input,
// after convolutions whose channels are stored in whole granules and filled up, and in a batch.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backends/cuda/gpu_test.h"
#include "backends/layer_cases.h"
#include "graph/reference_executor.h"
#include "support/engines.h"
#include "support/nets.h"

namespace hedge {
namespace {

using test::GraphBuilder;
using test::Ints;
using test::LayerCase;

std::unique_ptr<ExecutionContext> context_of(const Graph& graph, const std::string& precision) {
  return test::engine_of(test::optimized(graph), precision, 0, "cuda")->create_context({});
}

class CudaLayers : public test::GpuTest {
 protected:
  static void check(const std::vector<LayerCase>& layers) {
    for (const LayerCase& layer : layers) {
      for (const test::Feed& feed : test::feeds()) {
        SCOPED_TRACE(layer.name + " after " + feed.name);
        const Graph graph = test::graph_of(layer, feed);
        const Tensor input = test::noise_tensor(graph.input_type(0).shape, 5);
        const auto expected = execute(graph, std::vector<Tensor>{input});
        check_one(graph, input, expected[0], "fp32", 1e-4, layer.fast);
        check_one(graph, input, expected[0], "fp16", 0.02, layer.fast);
        check_one(graph, input, expected[0], "bf16", 0.1, layer.fast);
      }
    }
  }

 private:
  static void check_one(const Graph& graph, const Tensor& input, const Tensor& expected,
                        const std::string& precision, double tolerance, bool fast) {
    SCOPED_TRACE(precision);
    const auto context = context_of(graph, precision);
    std::vector<float> first;
    for (int repetition = 0; repetition < 2; ++repetition) {
      const auto actual = test::run(*context, input.values<float>());
      ASSERT_EQ(actual[0].size(), static_cast<std::size_t>(expected.size()));
      if (repetition == 0) first = actual[0];
      // The same engine, the same input, the same bits.
      EXPECT_TRUE(std::equal(first.begin(), first.end(), actual[0].begin(),
                             [](float a, float b) { return a == b || (a != a && b != b); }));
      if (precision == "fp32" || test::is_continuous(graph)) {
        EXPECT_LT(test::relative_error(actual[0], expected.values<float>()), tolerance);
      }
    }
    if (!fast) return;
    for (const std::string& kernel : test::kernels_of(*context)) {
      EXPECT_EQ(kernel.find("hedge:reference"), std::string::npos) << kernel;
    }
  }
};

class CudaLayerGroups : public CudaLayers, public testing::WithParamInterface<test::LayerGroup> {};

TEST_P(CudaLayerGroups, AgreesWithTheReferenceExecutor) {
  check(GetParam().cases());
}
INSTANTIATE_TEST_SUITE_P(Layers, CudaLayerGroups, testing::ValuesIn(test::layer_groups()),
                         [](const auto& info) { return info.param.name; });

/// Convolutions in groups, over rows, with holes, with a window that leaves the plane.
std::vector<LayerCase> convolutions() {
  const auto conv = [](const std::string& name, auto weights_of,
                       std::vector<std::pair<std::string, Attributes::Value>> attributes) {
    return LayerCase{
        name, [=](GraphBuilder& g, ValueId x, const Shape& s) {
          return g.node("Relu", {g.node("Conv", {x, g.weights(weights_of(s))}, attributes)});
        }};
  };
  return {conv("dilated",
               [](const Shape& s) {
                 return Shape{9, s[1], 3, 2};
               },
               {{"dilations", Ints{2, 3}}, {"pads", Ints{2, 3, 2, 3}}}),
          conv("strided and uneven",
               [](const Shape& s) {
                 return Shape{24, s[1], 2, 3};
               },
               {{"strides", Ints{3, 2}}, {"pads", Ints{0, 2, 1, 0}}}),
          {"groups of two",
           [](GraphBuilder& g, ValueId x, const Shape& s) {
             return g.node("Sigmoid", {g.node("Conv", {x, g.weights({s[1] / 2 * 3, 2, 3, 3})},
                                              {{"group", s[1] / 2}, {"pads", Ints{1, 1, 1, 1}}})});
           }},
          {"rows", [](GraphBuilder& g, ValueId x, const Shape& s) {
             const ValueId rows = g.node("Reshape", {x, g.ints({s[0], s[1], s[2] * s[3]})});
             const ValueId y = g.node("Conv", {rows, g.weights({12, s[1], 5}), g.weights({12})},
                                      {{"pads", Ints{2, 2}}, {"strides", Ints{2}}});
             return g.node("MaxPool", {y}, {{"kernel_shape", Ints{3}}, {"strides", Ints{2}}});
           }}};
}

TEST_F(CudaLayers, Convolutions) {
  check(convolutions());
}

/// As ONNX Runtime and numpy have it.
TEST_F(CudaLayers, NansStay) {
  for (const std::string op : {"Min", "Max", "Relu", "MaxPool"}) {
    SCOPED_TRACE(op);
    GraphBuilder g;
    const ValueId x = g.input({1, 3, 2, 40});
    ValueId y = kNoValue;
    if (op == "Relu") {
      y = g.node(op, {x});
    } else if (op == "MaxPool") {
      y = g.node(op, {x}, {{"kernel_shape", Ints{1, 2}}, {"strides", Ints{1, 2}}});
    } else {
      y = g.node(op, {x, g.weights({3, 1, 1})});
    }
    const Graph graph = g.finish({y});
    auto values = test::noise(240, 5);
    values[7] = values[100] = std::numeric_limits<float>::quiet_NaN();
    const auto actual = test::run(*context_of(graph, "fp16"), values);
    EXPECT_EQ(std::count_if(actual[0].begin(), actual[0].end(), [](float v) { return v != v; }), 2);
  }
}

TEST_F(CudaLayers, OutputsOfOtherTypesAreConverted) {
  GraphBuilder g;
  const ValueId x = g.input({1, 3, 2, 4});
  const Graph graph =
      g.finish({g.node("Relu", {x}), g.node("ArgMax", {x}, {{"axis", std::int64_t{3}}})});
  const Tensor input = test::noise_tensor({1, 3, 2, 4}, 5);
  const auto expected = execute(graph, std::vector<Tensor>{input});
  const auto actual = test::run(*context_of(graph, "fp32"), input.values<float>());
  const auto classes = expected[1].values<std::int64_t>();
  EXPECT_TRUE(std::equal(actual[1].begin(), actual[1].end(), classes.begin(), classes.end()));
}

TEST_F(CudaLayers, OutputsMayBeViewsOfOneValue) {
  GraphBuilder g;
  const ValueId x = g.conv(g.input({1, 3, 5, 4}), 3, 8);
  const auto parts = g.split(x, 1, {3, 5});
  const Graph graph = g.finish({parts[0], parts[1], x, g.node("Flatten", {x})});
  const Tensor input = test::noise_tensor({1, 3, 5, 4}, 5);
  const auto expected = execute(graph, std::vector<Tensor>{input});
  const auto context = context_of(graph, "fp32");
  for (int repetition = 0; repetition < 2; ++repetition) {
    const auto actual = test::run(*context, input.values<float>());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_LT(test::relative_error(actual[i], expected[i].values<float>()), 1e-5) << i;
    }
  }
}

}  // namespace
}  // namespace hedge
