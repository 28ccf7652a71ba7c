// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"

// Layers for which a backend has no kernel run by their operators' reference implementations, which
// allocate and may throw.

namespace hedge {

/// One of them, over buffers: its inputs (those that are there), the post-ops' operands, then its
/// outputs, each row-major and of the type that the graph says.
struct ReferenceLayer {
  Node node;
  std::vector<bool> given;  ///< By input: whether it is there at all.
  std::vector<TensorType> inputs, operands;
  std::vector<std::pair<std::size_t, TensorType>> outputs;  ///< Which one, and its type.
};

/// What goes into it, in the order of its buffers.
[[nodiscard]] std::vector<ValueId> reference_inputs(const Node& node);
[[nodiscard]] ReferenceLayer reference_layer(const Graph& graph, const Node& node);
/// `parameters` is a ReferenceLayer.
void run_reference(const void* parameters, std::byte* const* buffers);

/// Numbers of any type as floats: `parameters` is their TensorType, `buffers` both.
void run_conversion(const void* parameters, std::byte* const* buffers);

[[nodiscard]] std::size_t byte_count(const TensorType& type);

/// A layer that runs otherwise than a user may expect, and why.
struct SlowLayer {
  std::string name;
  std::string op;
  std::string reason;
};
/// "3 of 40 steps HOW: NAME (OP: REASON), ..."; nothing where there are none.
[[nodiscard]] std::vector<std::string> describe_slow(std::span<const SlowLayer> layers,
                                                     std::size_t steps, std::string_view how);
inline constexpr std::string_view kByReference =
    "run by reference implementations, slowly and with allocations";
inline constexpr std::string_view kEmulated =
    "have operands in 8 bits but are computed in floating point";

}  // namespace hedge
