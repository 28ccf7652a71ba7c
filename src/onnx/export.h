// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "graph/graph.h"
#include "graph/onnx_form.h"

namespace hedge {

/// A graph to the bytes of an ONNX model. The caller's order of axes is kept (a permuted input is
/// written as an input and a Transpose). Where the form wants other types than float32, Casts stand
/// at inputs, at outputs and between nodes whose types differ; constants are rounded to their
/// reader's type (what float16 cannot hold becomes its largest number). Throws bad_input naming the
/// node where a post-op is still fused (quant/qdq.h unfuses) or an attribute has no form in the
/// opset.
[[nodiscard]] std::string export_onnx(const Graph& graph, const OnnxForm& form = {});

}  // namespace hedge

extern "C" {
/// What the module `libhedge-onnx.so` exports for builder/: export_onnx, the result on the heap.
std::string* hedge_onnx_export(const hedge::Graph* graph, const hedge::OnnxForm* form);
}
