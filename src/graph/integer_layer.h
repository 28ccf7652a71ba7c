// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

// Layers that compute in integers, as all backends see them.

namespace hedge {

/// Whether the node is a Conv, Gemm or MatMul whose input and weights are held in 8 bits.
[[nodiscard]] bool is_integer_layer(const Graph& graph, const Node& node);

/// Throws bad_input where the graph has none, so that precision int8 would say what is not so.
void require_integer_layer(const Graph& graph);

/// What sums of 32 bits cannot do of such a layer, whatever the kernel; empty: nothing.
[[nodiscard]] std::string why_not_integer(const Graph& graph, const Node& node);

/// Such a layer as what integers compute: scale * (sum of products of stored numbers, the source's
/// zero point taken off) + bias for each output channel, then its post-ops.
struct IntegerForm {
  Quantization source;
  Tensor weights;                          ///< int8, in the graph's layout.
  std::vector<float> scales;               ///< By output channel, Gemm's alpha in them.
  std::optional<std::vector<float>> bias;  ///< By output channel, in real numbers.
  std::size_t done = 0;                    ///< So many post-ops are in the bias (MatMul's first).
};
/// Nothing stands in the way (why_not_integer).
[[nodiscard]] IntegerForm integer_form(const Graph& graph, const Node& node);

/// The axis of the output channels in the weights of a Conv, Gemm or MatMul.
[[nodiscard]] std::int64_t output_channel_axis(const Node& node);
/// Stored weights (int8) of each output channel, summed; by their magnitude where that is asked
/// for.
[[nodiscard]] std::vector<std::int64_t> weight_sums(const Tensor& stored, std::int64_t axis,
                                                    bool magnitudes = false);

}  // namespace hedge
