// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/graph_builder.h"

namespace hedge::test {

/// A residual net for 12x12 images and 10 classes with an early exit. Outputs: the net's softmax,
/// the exit's logits; nodes in the order of a file that has the exit's head last. `own_input`: the
/// part behind the exit reads the image once more.
inline Graph early_exit_net(bool own_input = false) {
  GraphBuilder g;
  const auto dense = [&](ValueId x, std::int64_t channels) {
    const ValueId flat = g.node("Flatten", {g.node("GlobalAveragePool", {x})});
    return g.node("Add", {g.node("MatMul", {flat, g.weights({channels, 10})}), g.weights({10})});
  };
  const ValueId image = g.input({1, 3, 12, 12});
  const ValueId stem = g.node("Relu", {g.conv(image, 3, 16)});
  const ValueId a = g.node("Relu", {g.conv(stem, 16, 16)});
  const ValueId cut = g.node("Relu", {g.node("Add", {g.conv(a, 16, 16), stem})});
  const ValueId b = g.node("Relu", {g.conv(cut, 16, 16)});
  ValueId end = g.node("Relu", {g.node("Add", {g.conv(b, 16, 16), cut})});
  if (own_input) end = g.node("Add", {end, g.conv(image, 3, 16)});
  const ValueId scores = g.node("Softmax", {dense(end, 16)}, {{"axis", std::int64_t{-1}}});
  const ValueId exit = dense(g.node("Relu", {g.conv(cut, 16, 16, 3, 2)}), 16);
  return g.finish({scores, exit});
}

}  // namespace hedge::test
