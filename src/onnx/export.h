// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "graph/graph.h"

namespace hedge {

/// The opset that is written. Not newer than what Debian's and TensorRT 8.6's ONNX know.
inline constexpr int kExportedOpset = 17;

/// A graph to the bytes of an ONNX model. The caller's order of axes is kept (a permuted input is
/// written as an input and a Transpose). Throws bad_input naming the node where a post-op is still
/// fused (quant/qdq.h unfuses) or an attribute has no form in the exported opset.
[[nodiscard]] std::string export_onnx(const Graph& graph);

}  // namespace hedge

extern "C" {
/// What the module `libhedge-onnx.so` exports for builder/: export_onnx, the result on the heap.
std::string* hedge_onnx_export(const hedge::Graph* graph);
}
