// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "backends/tensorrt/libraries.h"
#include "engine/backend.h"

namespace hedge::tensorrt {

/// What TensorRT's builder made.
struct BuiltPlan {
  std::vector<std::byte> bytes;
  std::string input;                  ///< Names as the plan has them.
  std::vector<std::string> outputs;   ///< In the graph's order.
  std::vector<std::string> sparsity;  ///< What TensorRT says of sparse layers.
};

/// Of what is not in integers.
[[nodiscard]] std::string float_precision(const BuildOptions& options);
/// Why precision fp8 cannot be had with this version or GPU; empty where it can.
[[nodiscard]] std::string no_float8_reason();
/// Throws bad_input where this version cannot have the precision, or an option goes with another.
void check_precision(const BuildOptions& options);

/// The graph, by options.write_onnx, through TensorRT's parser and builder. Throws bad_input: what
/// the parser refuses, by the names of the nodes; layers that are to have a precision that this
/// version lacks; a DLA core that is not there. runtime_failure: what the builder refuses, in its
/// words; cancelled.
[[nodiscard]] BuiltPlan build_plan(const Graph& graph, const BuildOptions& options,
                                   const Libraries& libraries);

}  // namespace hedge::tensorrt
