// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "graph/graph.h"

namespace hedge {

/// "swish": in engine files and in the kernels' names.
[[nodiscard]] std::string_view to_string(PostOp::Kind kind) noexcept;
/// Reverse of to_string; nothing where there is no such post-op.
[[nodiscard]] std::optional<PostOp::Kind> post_op_kind(std::string_view name) noexcept;

/// Every kind but kAdd: a function of one number.
[[nodiscard]] float apply_activation(const PostOp& post_op, float x);

/// What the node does to its first varying input, as a post-op: activations, arithmetic with one
/// constant number, Pow by one. Nothing where it is no function of each element alone, has post-ops
/// itself or changes type or shape. `varying` is the input that is not the constant.
struct Activation {
  PostOp post_op;
  ValueId varying = kNoValue;
};
[[nodiscard]] std::optional<Activation> activation_of(const Graph& graph, const Node& node);

}  // namespace hedge
