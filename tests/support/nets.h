// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "support/graph_builder.h"

namespace hedge::test {

/// Small nets that together hold every pattern that passes and backends treat apart.
inline std::vector<std::pair<std::string, std::function<Graph()>>> small_nets() {
  using Make = std::function<Graph()>;
  const auto residual = [](bool projection) {
    GraphBuilder g;
    const ValueId x = g.node("Transpose", {g.input({1, 12, 12, 3})}, {{"perm", Ints{0, 3, 1, 2}}});
    const ValueId stem = g.node("Relu", {g.conv(x, 3, 16)});
    const std::int64_t stride = projection ? 2 : 1;
    const ValueId a = g.node("Relu", {g.conv(stem, 16, 16, 3, stride)});
    const ValueId b = g.conv(a, 16, 16);
    const ValueId shortcut = projection ? g.conv(stem, 16, 16, 1, 2) : stem;
    const ValueId sum = g.node("Relu", {g.node("Add", {shortcut, b})});
    const ValueId pooled = g.node("GlobalAveragePool", {sum});
    const ValueId flat = g.node("Flatten", {pooled});
    const ValueId scores =
        g.node("Add", {g.node("MatMul", {flat, g.weights({16, 10})}), g.weights({10})});
    return g.finish({g.node("Softmax", {scores}, {{"axis", std::int64_t{-1}}})});
  };
  const Make parameter_free_shortcut = [] {
    GraphBuilder g;
    const ValueId x = g.conv(g.input({1, 16, 8, 8}), 16, 16);
    const ValueId pool =
        g.node("MaxPool", {x}, {{"kernel_shape", Ints{1, 1}}, {"strides", Ints{2, 2}}});
    const ValueId pad = g.node("Pad", {pool, g.ints({0, 8, 0, 0, 0, 8, 0, 0})});
    const ValueId main = g.conv(x, 16, 32, 3, 2);
    return g.finish({g.node("Flatten", {g.node("Add", {pad, main})})});
  };
  const Make batch_norms = [] {
    GraphBuilder g;
    const auto norm = [&](ValueId x, std::int64_t channels) {
      const ValueId variance = g.constant(Tensor::from<float>(
          {channels}, std::vector<float>(static_cast<std::size_t>(channels), 0.7F)));
      return g.node("BatchNormalization", {x, g.weights({channels}), g.weights({channels}),
                                           g.weights({channels}), variance});
    };
    const ValueId x = norm(g.input({1, 3, 9, 9}), 3);  // Nothing before it to fold into.
    const ValueId y =
        g.node("Clip", {norm(g.conv(x, 3, 8), 8),
                        g.constant(Tensor::from<float>({}, std::vector<float>{0.F})),
                        g.constant(Tensor::from<float>({}, std::vector<float>{0.5F}))});
    const ValueId z = g.node("Mul", {g.conv(y, 8, 8, 3, 1, 8), g.weights({8, 1, 1})});
    return g.finish({g.node("Flatten", {z})});
  };
  const Make pads_and_pools = [] {
    GraphBuilder g;
    const ValueId x = g.node("Pad", {g.input({1, 4, 10, 10}), g.ints({0, 0, 0, 1, 0, 0, 1, 2})});
    const ValueId y = g.node("Conv", {x, g.weights({8, 4, 3, 3})}, {{"strides", Ints{2, 2}}});
    const ValueId z =
        g.node("MaxPool", {y},
               {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
    const ValueId w = g.node("AveragePool", {z},
                             {{"kernel_shape", Ints{2, 2}},
                              {"pads", Ints{1, 0, 0, 1}},
                              {"count_include_pad", std::int64_t{1}}});
    return g.finish({g.node("Reshape", {w, g.ints({1, -1})})});
  };
  const Make layouts = [] {
    GraphBuilder g;
    const ValueId x = g.conv(g.input({1, 16, 6, 6}), 16, 16);
    const ValueId nhwc = g.node("Relu", {g.node("Transpose", {x}, {{"perm", Ints{0, 2, 3, 1}}})});
    const ValueId back = g.node("Transpose", {nhwc}, {{"perm", Ints{0, 3, 1, 2}}});
    const ValueId both = g.node("Concat", {g.conv(back, 16, 16), x}, {{"axis", std::int64_t{1}}});
    const ValueId moved = g.node("Transpose", {both}, {{"perm", Ints{0, 2, 3, 1}}});
    return g.finish({g.node("Flatten", {moved}), g.node("Flatten", {back})});
  };
  const Make shared_residual = [] {  // The residual is read again later, and is also the source.
    GraphBuilder g;
    const ValueId x = g.node("Relu", {g.conv(g.input({1, 8, 5, 5}), 8, 8)});
    const ValueId y = g.node("Add", {g.conv(x, 8, 8), x});
    const ValueId z = g.node("Add", {g.conv(y, 8, 8), x});
    const ValueId from_input = g.node("Add", {z, g.constant(noise_tensor({1, 8, 5, 5}, 5))});
    return g.finish({g.node("Flatten", {from_input})});
  };
  return {{"identity shortcut", [=] { return residual(false); }},
          {"projection shortcut", [=] { return residual(true); }},
          {"parameter-free shortcut", parameter_free_shortcut},
          {"batch norms", batch_norms},
          {"pads and pools", pads_and_pools},
          {"layouts", layouts},
          {"shared residual", shared_residual}};
}

}  // namespace hedge::test
