// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace hedge {

enum class FloatType : std::uint8_t { kFloat32, kFloat16, kBfloat16 };

/// The form in which a graph is written as ONNX: what those who read it can take.
struct OnnxForm {
  /// 17 or 19. The scales of Q/DQ nodes can have 16 bits from 19 on.
  int opset = 17;
  /// Type of every tensor in floating point but the graph's inputs and outputs, which stay float32.
  FloatType floats = FloatType::kFloat32;
  /// Nodes that compute in another one, by name.
  std::map<std::string, FloatType> nodes{};
  /// Weights of 8 bits as integers behind DequantizeLinear; otherwise in floating point (the
  /// rounded values) behind QuantizeLinear and DequantizeLinear.
  bool stored_weights = true;
};

}  // namespace hedge
