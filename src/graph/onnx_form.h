// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace hedge {

enum class FloatType : std::uint8_t { kFloat32, kFloat16, kBfloat16 };

/// What is held in 8-bit floats (base/float8.h), each value with one scale by which its largest
/// magnitude becomes the largest such number.
struct Float8Form {
  /// Largest magnitudes, by the names of values; whoever reads these sees them rounded.
  std::map<std::string, double> activations{};
  std::set<std::string> layers{};  ///< Nodes whose weights (input 1, constant) are so.
};

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
  /// The first extent of inputs and outputs is a symbol. The graph must be one that set_batch can
  /// give others.
  bool any_batch = false;
  /// Values and weights behind Q/DQ of FLOAT8E4M3FN; from opset 19 on.
  std::optional<Float8Form> float8{};
};

}  // namespace hedge
