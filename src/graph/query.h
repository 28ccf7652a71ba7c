// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "graph/operators/operator.h"

// Questions that passes and backends ask of a graph.

namespace hedge {

[[nodiscard]] inline bool is_op(const Node& node, std::string_view name) {
  return node.op != nullptr && node.op->name == name;
}

/// An optional input is there.
[[nodiscard]] inline bool has_input(const Node& node, std::size_t i) {
  return i < node.inputs.size() && node.inputs[i] != kNoValue;
}

/// Somebody uses another output than the first.
[[nodiscard]] inline bool has_further_outputs(const Node& node) {
  return std::any_of(node.outputs.begin() + 1, node.outputs.end(),
                     [](ValueId id) { return id != kNoValue; });
}

/// The floats of a constant, or nothing.
[[nodiscard]] std::optional<std::span<const float>> constant_floats(const Graph& graph, ValueId id);

/// A constant of any shape that broadcasts to one number a channel: `channels` numbers for axis
/// `axis` of a tensor of rank `rank`. Nothing when it is not of that kind.
[[nodiscard]] std::optional<std::vector<float>> per_channel(const Graph& graph, ValueId id,
                                                            std::size_t rank, std::size_t axis,
                                                            std::int64_t channels);

/// The axes of a reduction, sorted: an input from opset 18 (13 for sums) on, an attribute before.
/// Nothing where they are not known before the run.
[[nodiscard]] std::optional<std::vector<std::size_t>> reduced_axes(const Graph& graph,
                                                                   const Node& node);

/// "conv 3x3/1x1 16->16 32x32 pads 1,1,1,1 + bias + add": all of a Conv that the choice of an
/// implementation depends on, but for the batch. One in integers adds " uint8 to int8".
[[nodiscard]] std::string convolution_kind(const Graph& graph, const Node& node);

}  // namespace hedge
