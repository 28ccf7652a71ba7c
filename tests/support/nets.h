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
  const Make gates = [] {  // Squeeze and excitation, activations in parts.
    GraphBuilder g;
    const ValueId x = g.conv(g.input({1, 3, 8, 8}), 3, 24);
    const ValueId y = g.node("Mul", {x, g.node("Sigmoid", {x})});
    const ValueId squeezed = g.conv(g.node("ReduceMean", {y}, {{"axes", Ints{2, 3}}}), 24, 4, 1);
    const ValueId gate = g.node("Sigmoid", {g.conv(g.node("Relu", {squeezed}), 4, 24, 1)});
    const ValueId gated = g.node("HardSwish", {g.conv(g.node("Mul", {y, gate}), 24, 24, 1)});
    return g.finish(
        {g.node("ReduceMean", {gated}, {{"axes", Ints{2, 3}}, {"keepdims", std::int64_t{0}}})});
  };
  const Make shuffle = [] {
    GraphBuilder g;
    const ValueId x = g.node("Relu", {g.conv(g.input({1, 3, 6, 6}), 3, 20)});
    const auto halves = g.split(x, 1, {10, 10});
    const ValueId joined =
        g.node("Concat", {halves[0], g.node("Relu", {g.conv(halves[1], 10, 10)})},
               {{"axis", std::int64_t{1}}});
    const ValueId parts = g.node("Reshape", {joined, g.ints({1, 2, 10, 6, 6})});
    const ValueId swapped = g.node("Transpose", {parts}, {{"perm", Ints{0, 2, 1, 3, 4}}});
    const ValueId mixed = g.node("Reshape", {swapped, g.ints({1, 20, 6, 6})});
    return g.finish({g.node("Flatten", {g.conv(mixed, 20, 8)})});
  };
  const Make attention = [] {
    GraphBuilder g;
    const ValueId patches =
        g.node("Reshape", {g.conv(g.input({1, 3, 4, 4}), 3, 12), g.ints({1, 12, 16})});
    const ValueId x = g.node("Transpose", {patches}, {{"perm", Ints{0, 2, 1}}});
    const ValueId norm = g.node("LayerNormalization", {x, g.weights({12}), g.weights({12})});
    const ValueId all =
        g.node("Add", {g.node("MatMul", {norm, g.weights({12, 36})}), g.weights({36})});
    const ValueId heads = g.node("Reshape", {all, g.ints({1, 16, 3, 2, 6})});
    const ValueId parts = g.node("Transpose", {heads}, {{"perm", Ints{2, 0, 3, 1, 4}}});
    const auto part = [&](std::int64_t i) {
      return g.node("Gather",
                    {parts, g.constant(Tensor::from<std::int64_t>({}, std::span(&i, 1)))});
    };
    const ValueId keys = g.node("Transpose", {part(1)}, {{"perm", Ints{0, 1, 3, 2}}});
    const ValueId scores =
        g.node("Div", {g.node("MatMul", {part(0), keys}),
                       g.constant(Tensor::from<float>({}, std::vector<float>{2.4F}))});
    const ValueId mixed = g.node("MatMul", {g.node("Softmax", {scores}), part(2)});
    const ValueId back = g.node("Transpose", {mixed}, {{"perm", Ints{0, 2, 1, 3}}});
    const ValueId rows = g.node("Reshape", {back, g.ints({1, 16, 12})});
    const ValueId sum = g.node("Add", {x, g.node("MatMul", {rows, g.weights({12, 12})})});
    return g.finish(
        {g.node("ReduceMean", {sum}, {{"axes", Ints{1}}, {"keepdims", std::int64_t{0}}})});
  };
  return {{"identity shortcut", [=] { return residual(false); }},
          {"projection shortcut", [=] { return residual(true); }},
          {"parameter-free shortcut", parameter_free_shortcut},
          {"batch norms", batch_norms},
          {"pads and pools", pads_and_pools},
          {"layouts", layouts},
          {"shared residual", shared_residual},
          {"gates", gates},
          {"shuffle", shuffle},
          {"attention", attention}};
}

}  // namespace hedge::test
