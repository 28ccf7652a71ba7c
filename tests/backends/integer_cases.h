// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hedge/engine.h"
#include "support/graph_builder.h"

// Layers that compute in integers, for every backend that does so.

namespace hedge::test {

/// How activations are held.
enum class Held : std::uint8_t {
  kSigned,      ///< int8, symmetric.
  kAsymmetric,  ///< uint8 with a zero point, as ONNX Runtime's quantiser does by default.
};

/// Every activation but the outputs in 8 bits, and the weights of every Conv, Gemm and MatMul.
[[nodiscard]] Graph in_bytes(Graph graph, const Tensor& input, Held held);

struct IntegerCase {
  std::string name;
  std::function<ValueId(GraphBuilder&)> layer;
  int integer_layers = 1;
};
[[nodiscard]] std::vector<IntegerCase> integer_cases();

/// The layer, and behind it a value in 8 bits that leaves as floats.
struct IntegerLayer {
  Graph graph;
  Tensor input;
  float step = 0;  ///< Of the result.
};
[[nodiscard]] IntegerLayer layer_of(const IntegerCase& c, Held held);

/// A 3x3 convolution of 32 channels of bytes, all of them and all weights at their largest and of
/// one sign: each result is exactly `sum`.
struct LargestSums {
  Graph graph;
  Tensor input;
  float sum = 0;
};
[[nodiscard]] LargestSums largest_sums(std::int64_t group);

/// For some images, what a net in integers gives against `meaning`, its graph as the reference
/// executor computes it: scores close, and the same class but for a tie. The same input gives the
/// same bits.
void expect_same_classes(ExecutionContext& context, const Graph& meaning);

}  // namespace hedge::test
