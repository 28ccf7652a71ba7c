// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

namespace hedge {

/// Walks the outermost fields of an ONNX file (a protobuf ModelProto) before protobuf reads it,
/// because protobuf answers only "no", takes fields that it does not know for newer ones (and so
/// takes trailing garbage), and merges a second graph into the first. Throws bad_input with the
/// byte where the file stops being a model.
void check_model_framing(std::span<const std::byte> model);

}  // namespace hedge
