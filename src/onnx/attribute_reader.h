// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/attributes.h"
#include "onnx/format.pb.h"
#include "onnx/tensor_reader.h"

namespace hedge {

/// The attributes of a node under their ONNX names. The seven forms of Constant's value become the
/// one tensor attribute "value". Throws bad_input, naming the attribute: subgraphs, sparse tensors,
/// references to a function's attributes, a tensor that cannot be read.
[[nodiscard]] Attributes read_attributes(onnx::NodeProto& node, TensorReader& tensors);

}  // namespace hedge
