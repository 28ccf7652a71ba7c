// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace hedge {

/// Which element of its first input each element of a moving node's result is (-1: the fill): what
/// the reference implementation makes of an input that holds its own positions. So a kernel need
/// not know what Slice, Gather or DepthToSpace mean.
struct Movement {
  std::vector<std::int32_t> sources;
  float fill = 0;
};

/// Of a node that moves elements and does nothing else. Nothing where it depends on what varies, or
/// of an input of more than 2^24 elements.
[[nodiscard]] std::optional<Movement> trace_movement(const Graph& graph, Node node);

}  // namespace hedge
