// SPDX-License-Identifier: Apache-2.0
// Whole nets whose convolutions all run by our own kernels, as on CPUs where oneDNN has no fast
// ones.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "backends/cpu/cpu_context.h"
#include "backends/cpu/plan.h"
#include "backends/kernel_text.h"
#include "graph/operators/operator.h"
#include "graph/passes/passes.h"
#include "graph/query.h"
#include "graph/reference_executor.h"
#include "support/nets.h"

namespace hedge::cpu {
namespace {

Tactics own_tactics(const Graph& graph) {
  Tactics tactics;
  for (const auto& [kind, implementations] : convolution_tactics(graph, {})) {
    for (const std::string& implementation : implementations) {
      if (implementation.starts_with("hedge:")) tactics[kind] = implementation;
    }
  }
  return tactics;
}

TEST(OwnLayers, AgreeWithTheReferenceExecutor) {
  for (const auto& [name, make] : test::small_nets()) {
    for (const std::int64_t batch : {1, 3}) {
      for (const int threads : {1, 2}) {
        SCOPED_TRACE(name + " batch " + std::to_string(batch) + " threads " +
                     std::to_string(threads));
        Graph graph = make();
        optimize(graph);
        if (batch != 1) set_batch(graph, batch);
        const Tensor input = test::noise_tensor(graph.input_type(0).shape, 3);
        const auto expected = execute(graph, std::vector<Tensor>{input});

        PlanOptions options;
        options.threads = threads;
        options.tactics = own_tactics(graph);
        ASSERT_FALSE(options.tactics.empty());
        const auto plan = compile(graph, options);
        const auto own =
            std::count_if(plan->steps.begin(), plan->steps.end(),
                          [](const Step& step) { return step.kernel.starts_with("Conv hedge:"); });
        const auto convolutions =
            std::count_if(graph.nodes.begin(), graph.nodes.end(),
                          [](const Node& node) { return node.op->name == "Conv"; });
        EXPECT_EQ(own, convolutions);
        CpuContext context(plan);
        for (int repetition = 0; repetition < 2; ++repetition) {
          const auto values = input.values<float>();
          std::copy(values.begin(), values.end(), context.input().begin());
          context.infer();
          for (std::size_t i = 0; i < expected.size(); ++i) {
            EXPECT_LT(test::relative_error(context.output(i), expected[i].values<float>()), 1e-4);
          }
        }
      }
    }
  }
}

TEST(ImplementationClasses, AreToldByNames) {
  using Class = ImplementationClass;
  EXPECT_EQ(implementation_class("hedge:igemm:avx2"), Class::kOwn);
  EXPECT_EQ(implementation_class("hedge:reference"), Class::kReference);
  EXPECT_EQ(implementation_class("jit_wino_4x3:avx512_core"), Class::kTuned);
  EXPECT_EQ(implementation_class("brgemm:avx512_core"), Class::kTuned);
  EXPECT_EQ(implementation_class("x64:gemm:jit"), Class::kGemm);
  EXPECT_EQ(implementation_class("gemm:ref"), Class::kReference);
  EXPECT_EQ(implementation_class("simple_nhwc:any"), Class::kSimple);
  EXPECT_EQ(implementation_class("lrn_ref:any"), Class::kReference);
  EXPECT_FALSE(test::is_fast("reorder simple:any"));
  EXPECT_TRUE(test::is_fast("Concat simple:any"));
  EXPECT_FALSE(test::is_fast("Gather hedge:reference + relu"));
}

/// The values are those of oneDNN 3.x, which knows more instruction sets than 2.x has names for.
TEST(InstructionSets, NewerOnesCountAsWhatTheyExtend) {
  using kernels::Isa;
  EXPECT_EQ(isa_of_bits(0x0), Isa::kBaseline);
  EXPECT_EQ(isa_of_bits(0x1), Isa::kBaseline);   // sse41
  EXPECT_EQ(isa_of_bits(0x3), Isa::kBaseline);   // avx
  EXPECT_EQ(isa_of_bits(0x7), Isa::kAvx2);       // avx2
  EXPECT_EQ(isa_of_bits(0x1f), Isa::kAvx2);      // avx2_vnni_2
  EXPECT_EQ(isa_of_bits(0x27), Isa::kAvx512);    // avx512_core
  EXPECT_EQ(isa_of_bits(0x1ef), Isa::kAvx512);   // avx512_core_fp16
  EXPECT_EQ(isa_of_bits(0x1fef), Isa::kAvx512);  // avx512_core_amx_fp16
}

/// A tactic of one must not be taken for the other.
TEST(ConvolutionKinds, DifferWhereImplementationsMay) {
  using Attribute = std::pair<std::string, Attributes::Value>;
  const auto kind = [](const std::vector<Attribute>& attributes, bool biased) {
    test::GraphBuilder g;
    std::vector<ValueId> inputs{g.input({1, 4, 9, 9}), g.weights({8, 4, 3, 3})};
    if (biased) inputs.push_back(g.weights({8}));
    const Graph graph = g.finish({g.node("Conv", inputs, attributes)});
    return convolution_kind(graph, graph.nodes.at(0));
  };
  using test::Ints;
  const std::vector<std::string> kinds{kind({}, false),
                                       kind({}, true),
                                       kind({{"pads", Ints{1, 1, 1, 1}}}, false),
                                       kind({{"pads", Ints{0, 0, 1, 1}}}, false),
                                       kind({{"dilations", Ints{2, 2}}}, false),
                                       kind({{"strides", Ints{2, 1}}}, false),
                                       kind({{"strides", Ints{2, 2}}}, false)};
  EXPECT_EQ(std::set<std::string>(kinds.begin(), kinds.end()).size(), kinds.size());
  EXPECT_EQ(kind({{"auto_pad", std::string("SAME_UPPER")}}, false),
            kind({{"pads", Ints{1, 1, 1, 1}}}, false));
}

/// Between two of them nothing is reordered: both lie as NHWC.
TEST(OwnLayers, NeedNoReordersAmongThemselves) {
  Graph graph = test::small_nets().at(1).second();  // From an NHWC image to scores.
  optimize(graph);
  PlanOptions options;
  options.tactics = own_tactics(graph);
  const auto plan = compile(graph, options);
  for (const Step& step : plan->steps) {
    EXPECT_FALSE(step.kernel.starts_with("reorder")) << step.name;
  }
}

/// Our kernels leave other activations than bounds to a step of their own.
TEST(OwnLayers, CountTheirWorkOnce) {
  test::GraphBuilder g;
  const ValueId x = g.node("HardSwish", {g.conv(g.input({1, 3, 8, 8}), 3, 16)});
  Graph graph = g.finish({x});
  optimize(graph);
  PlanOptions options;
  options.tactics = own_tactics(graph);
  const auto plan = compile(graph, options);
  std::int64_t macs = 0;
  std::int64_t steps = 0;
  for (const Step& step : plan->steps) {
    macs += step.multiply_accumulates;
    if (step.name == graph.nodes.at(0).name) ++steps;
  }
  EXPECT_GE(steps, 2);
  EXPECT_EQ(macs, 8 * 8 * 9 * 3 * 16);
}

/// MobileNetV2's layers, small: expansion, depthwise in both strides, projection, residual. On a
/// CPU for which oneDNN has no fast kernels none of them falls to its slow ones.
TEST(OwnLayers, StandInForSlowOnes) {
  test::GraphBuilder g;
  const auto clip = [&](ValueId x) {
    return g.node("Clip", {x, g.constant(Tensor::from<float>({}, std::vector<float>{0.F})),
                           g.constant(Tensor::from<float>({}, std::vector<float>{6.F}))});
  };
  const ValueId x = clip(g.conv(g.input({1, 3, 16, 16}), 3, 16, 3, 2));
  const ValueId wide = clip(g.conv(clip(g.conv(x, 16, 96, 1)), 96, 96, 3, 1, 96));
  const ValueId sum = g.node("Add", {x, g.conv(wide, 96, 16, 1)});
  const ValueId narrow = clip(g.conv(clip(g.conv(sum, 16, 96, 1)), 96, 96, 3, 2, 96));
  const ValueId pool = g.node("MaxPool", {g.conv(narrow, 96, 24, 1)},
                              {{"kernel_shape", test::Ints{2, 2}}, {"strides", test::Ints{2, 2}}});
  const ValueId pooled = g.node("GlobalAveragePool", {pool});
  const ValueId scores = g.node("Gemm", {g.node("Flatten", {pooled}), g.weights({24, 10})});
  Graph graph = g.finish({g.node("Softmax", {scores})});
  optimize(graph);
  const auto plan = compile(graph, {});
  for (const Step& step : plan->steps) {
    EXPECT_TRUE(test::is_fast(step.kernel)) << step.kernel;
  }
}

}  // namespace
}  // namespace hedge::cpu
