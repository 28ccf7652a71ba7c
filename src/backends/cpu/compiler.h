// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/cpu/kernels/binary.h"
#include "backends/cpu/kernels/nhwc/kernels.h"
#include "backends/cpu/plan.h"
#include "graph/graph.h"

namespace hedge::cpu {

/// Where a value is and how it lies there. Values that are not float32, or that are empty, are
/// bytes in row-major order, and `desc` says only how many.
struct Located {
  Desc desc;
  std::size_t storage = 0;
  std::size_t offset = 0;  ///< In bytes: views into a larger value.
};

/// Why a node runs by its operator's reference implementation; empty: it need not.
using Obstacle = std::string;

/// The widest that both this CPU and the cap on oneDNN's instruction set allow.
[[nodiscard]] const KernelSet& own_set(kernels::Isa isa);

/// "fp32", "bf16", "fp16".
[[nodiscard]] std::string name_of(dnnl::memory::data_type precision);

/// Turns the nodes of one graph into steps, in order. One object compiles one plan.
class Compiler {
 public:
  Compiler(const Graph& graph, const PlanOptions& options);
  [[nodiscard]] std::shared_ptr<const Plan> run();

  /// Implementations seen for each kind of convolution (filled by run()).
  [[nodiscard]] const std::map<std::string, std::vector<std::string>>& tactics_seen() const {
    return tactics_seen_;
  }

 private:
  void compile(const Node& node);
  // Each kind of layer: why there is no fast kernel for this one, or nothing once it is compiled.
  // layers_products.cpp
  [[nodiscard]] Obstacle compile_convolution(const Node& node);
  [[nodiscard]] Obstacle compile_gemm(const Node& node);
  [[nodiscard]] Obstacle compile_matmul(const Node& node);
  // layers_planes.cpp
  [[nodiscard]] Obstacle compile_pooling(const Node& node);
  [[nodiscard]] Obstacle compile_softmax(const Node& node);
  [[nodiscard]] Obstacle compile_lrn(const Node& node);
  [[nodiscard]] Obstacle compile_normalization(const Node& node);
  [[nodiscard]] Obstacle compile_reduction(const Node& node);
  // layers_elementwise.cpp
  [[nodiscard]] Obstacle compile_elementwise(const Node& node);
  [[nodiscard]] Obstacle compile_binary(const Node& node);
  // layers_movement.cpp
  [[nodiscard]] Obstacle compile_concat(const Node& node);
  [[nodiscard]] Obstacle compile_transpose(const Node& node);
  [[nodiscard]] Obstacle compile_view(const Node& node);
  [[nodiscard]] Obstacle compile_split(const Node& node);
  [[nodiscard]] Obstacle compile_moving(const Node& node);
  [[nodiscard]] bool compile_selection(const Node& node);
  void concat_by_reorders(const Node& node, std::size_t axis, dnnl::memory::data_type type);
  // reference_layers.cpp
  void compile_reference(const Node& node);
  void add_conversion(const Located& from, const TensorType& type, const Located& to,
                      const std::string& name);

  /// Those post-ops of a node from number `begin` to before number `end` that go into the step
  /// itself; finish() adds a step for each of the others.
  struct PostOps {
    std::size_t begin = 0;
    std::size_t end = 0;
    ValueId residual = kNoValue;  ///< What one of them adds.
    std::string text;             ///< " + add + relu"
  };
  enum class Fusing : std::uint8_t {
    kLibrary,  ///< Activations in any order, a sum among them once.
    kOwn,      ///< A sum first, then bounds.
  };
  [[nodiscard]] PostOps post_ops(const Node& node, Fusing fusing, std::size_t begin = 0) const;
  /// For oneDNN: residuals are summed into the buffer of the result.
  [[nodiscard]] static dnnl::primitive_attr attributes_of(const Node& node, const PostOps& fused);
  [[nodiscard]] static dnnl::primitive_attr plain_attributes();
  /// For a kernel of our own, after the sum.
  [[nodiscard]] static Bounds bounds_of(const Node& node, const PostOps& fused);

  // layers_int8.cpp
  struct IntegerLayer;
  /// Whether the node's input and weights are held in 8 bits: it should compute in integers.
  [[nodiscard]] bool is_integer(const Node& node) const;
  [[nodiscard]] Obstacle compile_integer(const Node& node);
  [[nodiscard]] IntegerLayer describe_integer(const Node& node, Fusing fusing) const;
  [[nodiscard]] dnnl::primitive_attr attributes_of(const Node& node,
                                                   const IntegerLayer& layer) const;
  [[nodiscard]] bool add_library_integer_convolution(const Node& node, const IntegerLayer& layer);
  [[nodiscard]] bool add_library_integer_product(const Node& node, IntegerLayer layer);
  void add_integer_step(const Node& node, const IntegerLayer& layer, const Scales& scales,
                        const AnyPrimitive& any, std::vector<Argument> arguments,
                        const Desc& result);
  void add_own_integer(const Node& node, const IntegerLayer& layer);
  void set_bounds(const Node& node, const IntegerLayer& layer, IntegerConvolution& own) const;
  // layers_bytes.cpp
  /// Whether the node only moves what its inputs hold, so that it works on the 8 bits themselves.
  [[nodiscard]] bool moves_bytes(const Node& node) const;
  /// Whether the node adds two values in 8 bits to a third one.
  [[nodiscard]] bool adds_bytes(const Node& node) const;
  [[nodiscard]] Obstacle compile_byte_add(const Node& node);
  [[nodiscard]] bool add_byte_mean(const Node& node);
  void quantize_form(ValueId id, const Located& floats);
  void dequantize_form(ValueId id);
  // layers_own.cpp
  [[nodiscard]] const KernelSet& own_set() const { return cpu::own_set(isa_); }
  [[nodiscard]] std::string own_convolution(const Node& node) const;
  [[nodiscard]] Convolution own_convolution_layer(const Node& node) const;
  [[nodiscard]] Convolution own_dense_layer(const Node& node) const;
  void add_own_convolution(const Node& node);
  void add_own_dense(const Node& node, const float* weights, const float* bias, std::size_t begin);
  void add_own_product(const Node& node, Convolution layer, const Located& src, const Desc& result,
                       const float* weights, const float* bias, const PostOps& fused);
  void add_own_pool(const Node& node, const Window& window);
  void add_own_softmax(const Node& node, const Located& src, std::size_t axis);
  [[nodiscard]] bool add_own_activation(const Node& node, const PostOp& activation,
                                        const Located& from, const Located& to);
  [[nodiscard]] bool add_own_reorder(const std::string& name, const Located& from,
                                     const Located& to);

  [[nodiscard]] Obstacle compile_fast(const Node& node);
  void place_output(std::size_t index);

  // Values. A value may exist in several layouts; its producer's comes first. One with a
  // quantization exists in 8 bits, and as floats (which are rounded) once somebody asks for them;
  // which of the two a node means is told by `bytes_`.
  [[nodiscard]] std::vector<Located>& forms(ValueId id) {
    return (bytes_ ? byte_forms_ : forms_)[static_cast<std::size_t>(id)];
  }
  [[nodiscard]] const std::optional<Quantization>& quantization_of(ValueId id) const {
    return graph_.value(id).quantization;
  }
  [[nodiscard]] const TensorType& type_of_value(ValueId id) const { return graph_.value(id).type; }
  [[nodiscard]] const Shape& shape_of(ValueId id) const { return graph_.value(id).type.shape; }
  [[nodiscard]] bool is_raw(ValueId id) const;
  [[nodiscard]] Located locate(ValueId id);
  /// The value in that layout, reordered where it does not exist in it yet.
  [[nodiscard]] Located with_desc(ValueId id, const Desc& wanted, const std::string& why);
  /// In any layout without gaps.
  [[nodiscard]] Located packed(ValueId id, const std::string& why);
  /// Row-major, of the type that it is computed in or of `type`.
  [[nodiscard]] Located row_major_form(ValueId id, const std::string& why);
  [[nodiscard]] Located row_major_floats(ValueId id, const std::string& why);
  /// With one stride an axis, of any type and order.
  [[nodiscard]] Located plain_form(ValueId id, const std::string& why);
  /// The value's first form. Floats of one with a quantization are brought into 8 bits.
  void produce(ValueId id, const Located& located);
  void add_form(ValueId id, const Located& located);
  [[nodiscard]] std::size_t add_storage(std::size_t bytes);
  [[nodiscard]] std::size_t add_weights(dnnl::memory memory);
  [[nodiscard]] std::size_t add_weights(const Tensor& tensor, const Desc& plain,
                                        const Desc& wanted);
  [[nodiscard]] Located add_raw_constant(const Tensor& tensor);
  [[nodiscard]] Located new_result(const Desc& desc) {
    return {desc, add_storage(desc.get_size())};
  }

  /// Storage for the result of `node`: the residual's own where that may be overwritten, else a
  /// copy of it; a new one where there is no residual.
  [[nodiscard]] std::size_t result_storage(const Node& node, const Desc& dst, ValueId residual,
                                           const std::vector<std::size_t>& sources);
  /// Whether a step that reads `sources` may write its result, of `bytes`, over the value: nobody
  /// needs it afterwards, and it is nobody else's memory.
  [[nodiscard]] bool may_overwrite(const Located& value, std::size_t bytes,
                                   const std::vector<std::size_t>& sources) const;
  /// The node's first output is `located` once the post-ops from number `done` on are applied.
  void finish(const Node& node, const Located& located, std::size_t done);
  void finish_view(const Node& node, const Located& seen);

  // Steps.
  void add_step(Step step) {
    if (step.precision.empty()) step.precision = bytes_ ? "int8" : name_of(precision_);
    plan_->steps.push_back(std::move(step));
  }
  // The first of a node's steps has its multiply-accumulates: further ones work on the result.
  void add_library_step(const Node& node, const AnyPrimitive& any, std::vector<Argument> arguments,
                        const std::string& suffix);
  void add_own_step(const Node& node, const std::string& kernel, Kernel own,
                    std::vector<Argument> arguments);
  void add_scratchpad(std::vector<Argument>& arguments, const Desc& scratchpad);
  void add_reorder(const std::string& name, const Located& from, const Located& to);
  void add_activation(const Node& node, const PostOp& activation, const Located& from,
                      const Located& to);
  struct Operand {
    Located located;
    Shape shape;
    ValueId id = kNoValue;  ///< None: it exists in this layout only.
  };
  /// a op b, broadcast to `shape`; where the result is.
  [[nodiscard]] Located add_binary(const Node& node, dnnl::algorithm algorithm,
                                   kernels::BinaryOp op, Operand a, Operand b, const Shape& shape,
                                   const PostOps& fused);
  [[nodiscard]] std::optional<Located> add_library_binary(const Node& node,
                                                          dnnl::algorithm algorithm,
                                                          const Operand& a, const Operand& b,
                                                          const Desc& layout, const PostOps& fused);
  [[nodiscard]] Located add_own_binary(const Node& node, kernels::BinaryOp op, Operand a, Operand b,
                                       const Shape& shape, const PostOps& fused);
  [[nodiscard]] Operand widened_operand(const Node& node, Operand operand, std::size_t rank);
  [[nodiscard]] Located relaid(const Node& node, const Operand& operand, const Desc& wanted);
  /// Nothing where oneDNN has none at all.
  [[nodiscard]] std::optional<dnnl::convolution_forward::primitive_desc> choose_convolution(
      const Node& node, const Desc& src, const Desc& weights, const Desc& bias, const Desc& dst,
      const Window& window, const dnnl::primitive_attr& attr);
  void add_product(const Node& node, const Tensor& weights, bool transposed, const Tensor& bias,
                   dnnl::memory::data_type result_type, const PostOps& fused);
  [[nodiscard]] Desc matrix_desc(Shape shape, bool transposed) const;
  [[nodiscard]] Obstacle compile_batched_product(const Node& node, Shape a, Shape b);

  const Graph& graph_;
  PlanOptions options_;
  std::shared_ptr<Plan> plan_;
  dnnl::stream stream_;
  kernels::Isa isa_;
  dnnl::memory::data_type precision_;  ///< Of the node that is being compiled.
  std::size_t node_index_ = 0;
  std::int64_t uncounted_macs_ = 0;               ///< Of this node, until its first step has them.
  bool bytes_ = false;                            ///< This node takes values in 8 bits as they are.
  std::vector<std::vector<Located>> forms_;       ///< By value: each layout that it exists in.
  std::vector<std::vector<Located>> byte_forms_;  ///< Those in 8 bits.
  std::vector<std::size_t> last_use_;          ///< By value: index of the last node that reads it.
  std::vector<std::size_t> storage_last_use_;  ///< By storage, in the same count.
  std::map<std::string, std::vector<std::string>> tactics_seen_;
};

/// Whether the post-op is max, min or both with constants: what our kernels do before they store.
[[nodiscard]] bool is_bound(const PostOp& post_op);
/// First those, then the post-op's: again bounds.
[[nodiscard]] Bounds narrowed(Bounds bounds, const PostOp& post_op);

/// What oneDNN calls an activation: one or two of its elementwise operations in a row.
struct Eltwise {
  dnnl::algorithm algorithm;
  float alpha = 0;
  float beta = 0;
};
[[nodiscard]] std::vector<Eltwise> eltwise_of(const PostOp& activation);

[[nodiscard]] dnnl::memory::data_type byte_type(const Quantization& q);
/// Channels innermost.
[[nodiscard]] Desc nhwc(const Shape& shape, dnnl::memory::data_type type);
/// The same strides for elements of another type; of a layout without blocks.
[[nodiscard]] Desc with_type(const Desc& plain, dnnl::memory::data_type type);
[[nodiscard]] Desc any_layout(const Shape& shape, dnnl::memory::data_type type);
[[nodiscard]] Desc row_major(const Shape& shape, dnnl::memory::data_type type);
[[nodiscard]] inline Argument argument(int id, const Located& located) {
  return {id, located.desc, located.storage, located.offset};
}
/// Columns as rows.
template <class T>
[[nodiscard]] Tensor transposed_matrix(const Tensor& tensor) {
  const Shape& shape = tensor.shape();
  Tensor result(tensor.type(), {shape[1], shape[0]});
  const auto from = tensor.values<T>();
  const auto to = result.mutable_values<T>();
  const auto rows = static_cast<std::size_t>(shape[0]);
  const auto columns = static_cast<std::size_t>(shape[1]);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  }
  return result;
}

/// The window of a Conv or pooling node on a plane, as oneDNN counts: auto_pad and ceil_mode
/// resolved. `in` is the input's shape, NCHW.
[[nodiscard]] Window window_of(const Node& node, const Dims& kernel, const Shape& in);

}  // namespace hedge::cpu
