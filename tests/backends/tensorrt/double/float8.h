// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace hedge_double {

/// The ONNX model with its Q/DQ of FLOAT8E4M3FN as operators on floats that round likewise: what
/// the reference executor, which has no such type, can run. Others stay as they are.
[[nodiscard]] std::string without_float8(const std::string& onnx);

}  // namespace hedge_double
