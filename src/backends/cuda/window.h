// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cuda/kernels/elements.h"
#include "graph/graph.h"

namespace hedge::cuda {

/// A Conv or pooling node as a window over a plane; one over a row is a plane of height 1. Channels
/// as they are stored in that type.
struct Window {
  Convolution shape;
  int pad_bottom = 0, pad_right = 0;
};
[[nodiscard]] Window window_over(const Node& node, const Shape& in, const Shape& out,
                                 const Shape& kernel, ElementType type);

}  // namespace hedge::cuda
