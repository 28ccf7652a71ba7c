// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "graph/attributes.h"

namespace hedge {

struct Operator;

using ValueId = std::int32_t;
inline constexpr ValueId kNoValue = -1;  ///< An optional input that is absent.

struct TensorType {
  DataType type = DataType::kFloat32;
  Shape shape;
  bool operator==(const TensorType&) const = default;
};

/// How a float value is held in 8 bits: real = scale * (stored - zero_point), in the terms of
/// ONNX's QuantizeLinear.
struct Quantization {
  DataType type = DataType::kInt8;  ///< kInt8 or kUInt8.
  std::vector<float> scales;        ///< One for the tensor, or one for each place along `axis`.
  std::int64_t axis = 0;            ///< Of no meaning where there is one scale.
  std::int32_t zero_point = 0;
  bool operator==(const Quantization&) const = default;
};

/// Something that flows along an edge. A value with `constant` set is known before the run.
struct Value {
  std::string name;
  TensorType type;
  std::optional<Tensor> constant{};
  /// Set: every reader sees the value as it comes out of 8 bits. A Conv or Gemm whose input and
  /// weights both are held so computes in integers. (The type stays float32, and a constant holds
  /// the rounded values.)
  std::optional<Quantization> quantization{};
};

/// What is applied to the first output of a node before it is stored, in order. (oneDNN's term.)
struct PostOp {
  enum class Kind : std::uint8_t {
    kAdd,          ///< + operand, which broadcasts to the output's shape: a residual, a bias.
    kRelu,         ///< max(x, 0)
    kClip,         ///< min(max(x, alpha), beta)
    kLeakyRelu,    ///< x < 0 ? alpha * x : x
    kElu,          ///< x < 0 ? alpha * (exp(x) - 1) : x
    kTanh,         ///< tanh(x)
    kSigmoid,      ///< 1 / (1 + exp(-x))
    kHardSigmoid,  ///< min(max(alpha * x + beta, 0), 1)
    kHardSwish,    ///< x * min(max(x / 6 + 1 / 2, 0), 1)
    kSwish,        ///< x * sigmoid(alpha * x)
    kGelu,         ///< x / 2 * (1 + erf(x / sqrt(2)))
    kGeluTanh,     ///< x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
    kLinear,       ///< alpha * x + beta
    kExp,          ///< exp(x)
    kLog,          ///< log(x)
    kSqrt,         ///< sqrt(x)
    kAbs,          ///< abs(x)
    kPow,          ///< alpha * x^beta
  };
  Kind kind = Kind::kRelu;
  ValueId operand = kNoValue;  ///< kAdd only.
  float alpha = 0;
  float beta = 0;
};

/// One operation with the semantics of the ONNX operator of the same name, plus fused post-ops.
struct Node {
  std::string name;
  const Operator* op = nullptr;
  std::vector<ValueId> inputs;   ///< kNoValue for an absent optional input.
  std::vector<ValueId> outputs;  ///< kNoValue for an output that nobody uses.
  Attributes attributes;
  std::vector<PostOp> post_ops;
};

/// An input as the caller gives it. `value` is transpose(caller's tensor, permutation), in the
/// sense of ONNX Transpose: value axis i is the caller's axis permutation[i]. Empty means identity.
/// This is where a Transpose at the mouth of a graph goes (NHWC images into NCHW convolutions).
struct GraphInput {
  ValueId value = kNoValue;
  std::vector<std::int64_t> permutation;
};

/// A static dataflow graph: nodes in topological order, every extent known, values in single
/// assignment. A plain value; passes edit it in place.
struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<GraphInput> inputs;
  std::vector<ValueId> outputs;
  /// Names of the file's tensors that feed nothing and were left out on import, for messages.
  std::vector<std::string> unread{};

  ValueId add_value(std::string value_name, TensorType type = {});
  ValueId add_constant(std::string value_name, Tensor tensor);
  [[nodiscard]] const Value& value(ValueId id) const {
    return values.at(static_cast<std::size_t>(id));
  }
  [[nodiscard]] Value& value(ValueId id) { return values.at(static_cast<std::size_t>(id)); }
  [[nodiscard]] bool is_constant(ValueId id) const {
    return id != kNoValue && value(id).constant.has_value();
  }
  /// The type that the caller sees, before the permutation.
  [[nodiscard]] TensorType input_type(std::size_t index) const;
};

/// Infers the type of every value, in order, and evaluates what is already known (constants, shapes
/// computed in the graph), whose values become constants. Throws bad_input with the names of all
/// nodes that are wrong, in one message.
void infer_shapes(Graph& graph);

/// Checks the invariants that Graph states (ids in range, order, single assignment, arity). Throws
/// bad_input. For graphs that come out of files.
void validate(const Graph& graph);

/// Makes the graph one for batches of `batch` images: the first extent of every input that has that
/// of the first input, and of what follows from it. Throws bad_input when the graph fixes the batch
/// in a way that cannot be undone.
void set_batch(Graph& graph, std::int64_t batch);

/// For each value, the index of the node that makes it (or -1), and the nodes that read it (post-op
/// operands included). Valid until the graph is edited.
struct GraphIndex {
  explicit GraphIndex(const Graph& graph);
  std::vector<std::int32_t> producer;
  std::vector<std::vector<std::int32_t>> consumers;
  std::vector<bool> is_output;  ///< The value is an output of the graph.
};

/// Multiply-accumulates of one run (convolutions and matrix products, as the field counts them).
[[nodiscard]] std::int64_t multiply_accumulates(const Graph& graph);
/// Of one of its nodes.
[[nodiscard]] std::int64_t multiply_accumulates(const Graph& graph, const Node& node);
/// Elements of all floating-point constants.
[[nodiscard]] std::int64_t parameter_count(const Graph& graph);

}  // namespace hedge
