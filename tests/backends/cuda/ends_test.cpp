// SPDX-License-Identifier: Apache-2.0
// What a net begins and ends with, of shapes that make the fused kernels' blocks uneven.

#include <gtest/gtest.h>

#include "backends/cuda/gpu_test.h"
#include "graph/reference_executor.h"
#include "support/engines.h"
#include "support/graph_builder.h"

namespace hedge {
namespace {

using test::GraphBuilder;
using test::Ints;

class CudaEnds : public test::GpuTest {
 protected:
  static void check(const Graph& graph, const std::string& kernel) {
    const Tensor input = test::noise_tensor(graph.input_type(0).shape, 5);
    const auto expected = execute(graph, std::vector<Tensor>{input});
    for (const auto& [precision, tolerance] :
         {std::pair{"fp32", 1e-4}, std::pair{"fp16", 0.02}, std::pair{"bf16", 0.1}}) {
      const auto context =
          test::engine_of(test::optimized(graph), precision, 0, "cuda")->create_context({});
      for (int repetition = 0; repetition < 2; ++repetition) {
        const auto actual = test::run(*context, input.values<float>());
        EXPECT_LT(test::relative_error(actual[0], expected[0].values<float>()), tolerance)
            << precision;
      }
      const auto kernels = test::kernels_of(*context);
      EXPECT_TRUE(std::any_of(kernels.begin(), kernels.end(), [&](const std::string& text) {
        return text.find(kernel) != std::string::npos;
      })) << kernel;
    }
  }
};

TEST_F(CudaEnds, StemsTakeTheCallersFloats) {
  for (const bool nhwc : {false, true}) {
    for (const std::int64_t channels : {1, 3, 4}) {
      for (const std::int64_t stride : {1, 2}) {
        // Rows of 16 are read by 16 bytes; 3x3 over three channels is unrolled.
        for (const auto& [kernel, width] : {std::pair{5, 13}, std::pair{3, 16}}) {
          for (const std::int64_t out : {5, 16, 40}) {
            SCOPED_TRACE(std::to_string(channels) + " to " + std::to_string(out) + " stride " +
                         std::to_string(stride) + (nhwc ? " NHWC" : ""));
            GraphBuilder g;
            ValueId x = kNoValue;
            if (nhwc) {
              x = g.node("Transpose", {g.input({2, 11, width, channels})},
                         {{"perm", Ints{0, 3, 1, 2}}});
            } else {
              x = g.input({2, channels, 11, width});
            }
            const ValueId y = g.node("Relu", {g.conv(x, channels, out, kernel, stride)});
            check(g.finish({g.node("MaxPool", {y}, {{"kernel_shape", Ints{2, 2}}})}), "hedge:stem");
          }
        }
      }
    }
  }
}

TEST_F(CudaEnds, HeadsPoolMultiplyAndNormalise) {
  for (const std::int64_t channels : {5, 64, 200}) {
    for (const std::int64_t classes : {3, 10, 100}) {
      for (const bool softmax : {false, true}) {
        SCOPED_TRACE(std::to_string(channels) + " to " + std::to_string(classes) +
                     (softmax ? " softmax" : ""));
        GraphBuilder g;
        const ValueId x = g.conv(g.input({2, 8, 7, 5}), 8, channels, 1);
        const ValueId flat = g.node("Flatten", {g.node("GlobalAveragePool", {x})});
        const ValueId scores =
            g.node("Gemm", {flat, g.weights({classes, channels}), g.weights({classes})},
                   {{"transB", std::int64_t{1}}, {"alpha", 2.F}});
        check(g.finish({softmax ? g.node("Softmax", {scores}) : scores}), "hedge:head");
      }
    }
  }
}

}  // namespace
}  // namespace hedge
