// SPDX-License-Identifier: Apache-2.0
// Each kind of layer of the cpu backend against the reference executor: after the graph's input,
// after convolutions whose result lies in blocks of channels (whole and filled up), and in a batch.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backends/layer_cases.h"
#include "graph/reference_executor.h"
#include "support/engines.h"
#include "support/nets.h"

namespace hedge {
namespace {

using test::GraphBuilder;
using test::Ints;
using test::LayerCase;

class CpuLayers : public testing::Test {
 protected:
  void check(const std::vector<LayerCase>& layers) {
    for (const LayerCase& layer : layers) {
      for (const test::Feed& feed : test::feeds()) {
        SCOPED_TRACE(layer.name + " after " + feed.name);
        check_one(test::graph_of(layer, feed), layer.fast);
      }
    }
  }

 private:
  static void check_one(const Graph& graph, bool fast) {
    const Tensor input = test::noise_tensor(graph.input_type(0).shape, 5);
    const auto expected = execute(graph, std::vector<Tensor>{input});
    const auto context = test::engine_of(test::optimized(graph), "fp32")->create_context({});
    for (int repetition = 0; repetition < 2; ++repetition) {
      const auto actual = test::run(*context, input.values<float>());
      EXPECT_LT(test::relative_error(actual[0], expected[0].values<float>()), 1e-4);
    }
    bool reference = false;
    for (const std::string& kernel : test::kernels_of(*context)) {
      reference = reference || kernel.find("hedge:reference") != std::string::npos;
    }
    EXPECT_EQ(reference, !fast);
    check_bf16(graph, input, expected[0]);
  }

  static void check_bf16(const Graph& graph, const Tensor& input, const Tensor& expected) {
    std::shared_ptr<const Engine> engine;
    try {
      engine = test::engine_of(test::optimized(graph), "bf16");
    } catch (const Error&) {
      return;  // Not on this CPU.
    }
    const auto actual = test::run(*engine->create_context({}), input.values<float>());
    ASSERT_EQ(actual[0].size(), static_cast<std::size_t>(expected.size()));
    if (test::is_continuous(graph)) {
      EXPECT_LT(test::relative_error(actual[0], expected.values<float>()), 0.1) << "bf16";
    }
  }
};

class CpuLayerGroups : public CpuLayers, public testing::WithParamInterface<test::LayerGroup> {};

TEST_P(CpuLayerGroups, AgreesWithTheReferenceExecutor) {
  check(GetParam().cases());
}
INSTANTIATE_TEST_SUITE_P(Layers, CpuLayerGroups, testing::ValuesIn(test::layer_groups()),
                         [](const auto& info) { return info.param.name; });

/// As ONNX Runtime and numpy have it. (With one number, Min and Max are bounds and may drop a NaN,
/// see docs/operators.md.)
TEST(CpuBackendNumbers, NansStayInMinMaxAndReduceMax) {
  for (const std::string op : {"Min", "Max"}) {
    for (const bool swapped : {false, true}) {
      for (const Shape& other : {Shape{1, 3, 2, 40}, Shape{3, 1, 1}, Shape{1, 40}}) {
        SCOPED_TRACE(op + (swapped ? " swapped " : " ") + to_string(other));
        GraphBuilder g;
        const ValueId x = g.input({1, 3, 2, 40});
        const ValueId c = g.weights(other);
        const ValueId y = swapped ? g.node(op, {c, x}) : g.node(op, {x, c});
        const Graph graph = g.finish({y, g.node("ReduceMax", {y}, {{"axes", Ints{3}}})});
        auto values = test::noise(240, 5);
        values[7] = values[100] = std::numeric_limits<float>::quiet_NaN();
        const auto expected =
            execute(graph, std::vector<Tensor>{Tensor::from<float>({1, 3, 2, 40}, values)});
        const auto context = test::engine_of(test::optimized(graph), "fp32")->create_context({});
        const auto actual = test::run(*context, values);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          const auto want = expected[i].values<float>();
          EXPECT_GT(std::count_if(want.begin(), want.end(), [](float v) { return v != v; }), 0);
          for (std::size_t j = 0; j < want.size(); ++j) {
            EXPECT_EQ(std::isnan(actual[i][j]), std::isnan(want[j])) << i << " " << j;
          }
        }
      }
    }
  }
}

/// "When min is greater than max, the clip operator sets all values to max."
TEST(CpuBackendNumbers, ClipsUpperBoundWins) {
  for (const bool fused : {false, true}) {
    GraphBuilder g;
    ValueId x = g.input({1, 3, 5, 4});
    if (fused) x = g.conv(x, 3, 8);
    const ValueId clipped = g.node("Clip", {x, g.number(0.5F), g.number(-0.25F)});
    const Graph graph = test::optimized(g.finish({clipped}));
    const auto context = test::engine_of(graph, "fp32")->create_context({});
    const auto actual = test::run(*context, test::noise(60, 3));
    for (const float value : actual[0]) EXPECT_EQ(value, -0.25F);
  }
}

TEST(CpuBackendOutputs, OfOtherTypesAreConverted) {
  GraphBuilder g;
  const ValueId x = g.input({1, 3, 2, 4});
  const Graph graph =
      g.finish({g.node("Relu", {x}), g.node("ArgMax", {x}, {{"axis", std::int64_t{3}}})});
  const Tensor input = test::noise_tensor({1, 3, 2, 4}, 5);
  const auto expected = execute(graph, std::vector<Tensor>{input});
  const auto context = test::engine_of(test::optimized(graph), "fp32")->create_context({});
  const auto actual = test::run(*context, input.values<float>());
  const auto classes = expected[1].values<std::int64_t>();
  EXPECT_TRUE(std::equal(actual[1].begin(), actual[1].end(), classes.begin(), classes.end()));
}

TEST(CpuBackendOutputs, MayBeViewsOfOneValue) {
  GraphBuilder g;
  const ValueId x = g.conv(g.input({1, 3, 5, 4}), 3, 8);
  const auto parts = g.split(x, 1, {3, 5});
  const Graph graph = g.finish({parts[0], parts[1], x, g.node("Flatten", {x})});
  const Tensor input = test::noise_tensor({1, 3, 5, 4}, 5);
  const auto expected = execute(graph, std::vector<Tensor>{input});
  const auto context = test::engine_of(test::optimized(graph), "fp32")->create_context({});
  for (int repetition = 0; repetition < 2; ++repetition) {
    const auto actual = test::run(*context, input.values<float>());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_LT(test::relative_error(actual[i], expected[i].values<float>()), 1e-5) << i;
    }
  }
}

}  // namespace
}  // namespace hedge
