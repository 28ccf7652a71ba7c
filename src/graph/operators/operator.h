// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace hedge {

/// Everything that Hedge knows about one ONNX operator apart from fast kernels. To add an operator:
/// write its two functions in the file of its family and add one line to that file's table.
struct Operator {
  std::string_view name;  ///< ONNX name.
  int min_inputs = 1;
  int max_inputs = 1;  ///< -1: any number.

  /// Types of the outputs. `inputs[i]` is null for an absent optional input; its `constant` is set
  /// where the value is known (shapes, axes). Throws bad_input; the caller adds the node's name.
  std::vector<TensorType> (*infer)(const Node& node,
                                   std::span<const Value* const> inputs) = nullptr;

  /// The slow and obvious implementation: no post-ops (the executor applies those). Absent optional
  /// inputs are empty tensors.
  std::vector<Tensor> (*execute)(const Node& node, std::span<const Tensor> inputs) = nullptr;

  /// Each element of the first output comes of the same element of input 0 alone (other inputs are
  /// single numbers): the operator commutes with whatever moves elements.
  bool pointwise = false;

  /// Multiply-accumulates of one run; null means none.
  std::int64_t (*macs)(const Node& node, std::span<const Value* const> inputs,
                       const TensorType& output) = nullptr;

  /// Steps of one run of `execute`, where they are neither multiply-accumulates nor about as many
  /// as there are elements; null means that they are.
  std::int64_t (*steps)(const Node& node, std::span<const Value* const> inputs,
                        const TensorType& output) = nullptr;
};

/// Null when Hedge has no such operator.
[[nodiscard]] const Operator* find_operator(std::string_view name);
/// Like find_operator for names in our own code: throws runtime_failure when there is none.
[[nodiscard]] const Operator& get_operator(std::string_view name);
/// All, sorted by name.
[[nodiscard]] std::vector<const Operator*> all_operators();

}  // namespace hedge
