// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/cuda/kernels/map.h"
#include "backends/cuda/kernels/rows.h"
#include "backends/cuda/layout.h"
#include "backends/cuda/plan.h"
#include "graph/graph.h"

namespace hedge::cuda {

/// Where a value is and how it lies there. Values that are not float32, that are empty or have very
/// many axes or elements are bytes in row-major order, and `layout` says only how many.
struct Located {
  Layout layout;
  std::size_t storage = 0;
  std::size_t offset = 0;  ///< In bytes: views into a larger value.
};

/// Why a node runs by its operator's reference implementation; empty: it need not.
using Obstacle = std::string;

/// Turns the nodes of one graph into steps, in order. One object compiles one plan.
class Compiler {
 public:
  Compiler(const Graph& graph, const PlanOptions& options);
  [[nodiscard]] std::shared_ptr<const Plan> run();

 private:
  /// The numbers of a convolution.
  struct Terms {
    std::vector<float> weights{};       ///< In the order that its kernel wants.
    std::vector<float> bias{};          ///< By channel; empty: none.
    std::vector<float> factors{};       ///< Epilogue::factors, by channel; of integers only.
    std::vector<std::int32_t> first{};  ///< What their sums begin with.
    int zero_point = 0;                 ///< Of the source.
  };

  void compile(const Node& node);
  void set_kind(ElementKind kind);
  [[nodiscard]] Obstacle compile_fast(const Node& node);
  // Each kind of layer: why there is no kernel for this one, or nothing once it is compiled.
  // layers_convolution.cpp, layers_dense.cpp
  [[nodiscard]] Obstacle compile_convolution(const Node& node);
  void add_groups(const Node& node, const Convolution& shape, const Terms& terms, const Located& x,
                  const Layout& result);
  [[nodiscard]] Obstacle compile_gemm(const Node& node);
  [[nodiscard]] Obstacle compile_matmul(const Node& node);
  /// x * weights over rows of x's last axis as a convolution, weights as its kernel wants them.
  struct Dense {
    Convolution shape;
    std::vector<float> weights;
  };
  [[nodiscard]] Dense dense_of(const Node& node, std::span<const float> weights, bool transposed,
                               float scale, ElementType in, const Layout& result) const;
  [[nodiscard]] Layout scores_layout(const Node& node, const Layout& otherwise,
                                     std::size_t done) const;
  void add_dense(const Node& node, const Tensor& weights, bool transposed, float scale,
                 std::optional<std::vector<float>> bias, std::size_t done);
  [[nodiscard]] std::vector<Argument> add_terms(const Terms& terms, const Argument& x,
                                                std::vector<std::byte> weights, const Argument& to,
                                                int out_c);
  /// `shortcut`: a node whose 1x1 convolution goes into the same launch, and where its sums go.
  struct Shortcut {
    const Node* node = nullptr;
    Located sums;
  };
  void add_convolution(const Node& node, const Convolution& shape, const Terms& terms,
                       const Located& x, const Layout& result, std::size_t channel_axis,
                       std::size_t begin, const std::optional<Shortcut>& shortcut = {});
  [[nodiscard]] Obstacle compile_product(const Node& node);
  // layers_int8.cpp
  [[nodiscard]] bool is_integer(const Node& node) const;
  [[nodiscard]] Obstacle compile_integer(const Node& node);
  /// Of a kernel that writes any type: bytes where the result is held so and all post-ops are
  /// fused.
  [[nodiscard]] Layout any_result(const Node& node, std::size_t channel_axis,
                                  std::size_t done) const;
  /// Channels that such a kernel writes at once.
  [[nodiscard]] int any_granule() const { return std::max(kAnyGranule, granule_of(type_)); }
  void add_integer_convolution(const Node& node, Terms terms, std::span<const float> weights);
  void add_integer_dense(const Node& node, Terms terms, std::span<const float> weights,
                         std::size_t done);
  // layers_siblings.cpp
  struct Siblings {
    const Node* main = nullptr;
    const Node* shortcut = nullptr;
    const Node* adds = nullptr;  ///< The convolution that `shortcut` adds to its own sums, if any.
  };
  [[nodiscard]] std::optional<Convolution> plain_convolution(const Node& node) const;
  [[nodiscard]] std::optional<Siblings> as_siblings(const Node& main, const Node& shortcut,
                                                    std::size_t now) const;
  [[nodiscard]] std::optional<Siblings> siblings_of(const Node& node) const;
  [[nodiscard]] bool add_siblings(const Node& node);
  void join(const Node& node, const Node& shortcut);
  [[nodiscard]] ElementKind kind_of(const Node& node) const;
  [[nodiscard]] std::vector<float> stored_weights(const Node& conv, const Convolution& shape) const;
  void add_sibling(const Shortcut& shortcut, const Convolution& shape,
                   std::vector<Argument>& arguments);
  [[nodiscard]] std::size_t number_of(const Node& node) const {
    return static_cast<std::size_t>(&node - graph_.nodes.data());
  }
  // layers_planes.cpp
  [[nodiscard]] Obstacle compile_pooling(const Node& node);
  [[nodiscard]] Obstacle compile_lrn(const Node& node);
  [[nodiscard]] Obstacle compile_softmax(const Node& node);
  [[nodiscard]] Obstacle compile_normalization(const Node& node);
  [[nodiscard]] Obstacle compile_reduction(const Node& node);
  // layers_elementwise.cpp
  [[nodiscard]] Obstacle compile_elementwise(const Node& node);
  [[nodiscard]] Obstacle compile_binary(const Node& node);
  // layers_movement.cpp
  [[nodiscard]] Obstacle compile_view(const Node& node);
  [[nodiscard]] Obstacle compile_transpose(const Node& node);
  [[nodiscard]] Obstacle compile_concat(const Node& node);
  [[nodiscard]] Obstacle compile_split(const Node& node);
  [[nodiscard]] Obstacle compile_moving(const Node& node);
  // layers_ends.cpp
  [[nodiscard]] std::optional<Located> callers_floats(const Node& node);
  [[nodiscard]] bool add_stem(const Node& node, Convolution shape, const Terms& terms,
                              const Layout& result);
  [[nodiscard]] bool add_head(const Node& pool);
  [[nodiscard]] std::optional<std::size_t> sole_reader(const Node& node) const;
  // reference_layers.cpp
  void compile_reference(const Node& node);
  void add_conversion(const Located& from, const TensorType& type, const Located& to,
                      const std::string& name);

  /// Those post-ops of a node from number `begin` to before number `end` that go into the step of
  /// a convolution; finish() adds steps for the others.
  struct Fused {
    std::size_t end = 0;
    Epilogue epilogue;
    std::vector<Argument> operands;
    std::string text;         ///< " + add + relu"
    bool float_rows = false;  ///< The result are floats without filling, for the caller.
  };
  /// `any`: the kernel takes and writes any type, not just type_.
  [[nodiscard]] Fused fuse(const Node& node, const Layout& result, std::size_t channel_axis,
                           std::size_t begin, bool any = false);
  /// Whether fuse() would take all that are left.
  [[nodiscard]] bool fuses_all(const Node& node, std::size_t channel_axis, std::size_t begin) const;
  [[nodiscard]] Layout residual_layout(ValueId id, const Layout& result, std::size_t channel_axis,
                                       bool any) const;
  /// The node's first output is `located`, which nobody else has, once the post-ops from number
  /// `done` on are applied.
  void finish(const Node& node, Located located, std::size_t done);
  /// The same where `seen` is another value's memory.
  void finish_view(const Node& node, const Located& seen);
  void place_outputs();

  // Values. A value may exist in several layouts; its producer's comes first.
  [[nodiscard]] std::vector<Located>& forms(ValueId id) {
    return forms_[static_cast<std::size_t>(id)];
  }
  [[nodiscard]] const Shape& shape_of(ValueId id) const { return graph_.value(id).type.shape; }
  [[nodiscard]] bool is_raw(ValueId id) const;
  /// How the value is held where that is in 8 bits; constants are not.
  [[nodiscard]] std::optional<Scale> scale_of(ValueId id) const;
  [[nodiscard]] Located locate(ValueId id);
  /// In floating point, of any layout.
  [[nodiscard]] Located locate_floats(ValueId id);
  /// The value in that layout, copied where it does not exist in it yet.
  [[nodiscard]] Located with_layout(ValueId id, const Layout& wanted, const std::string& why);
  [[nodiscard]] Located row_major_floats(ValueId id, const std::string& why) {
    return with_layout(id, row_major(shape_of(id), ElementType::kFloat32), why);
  }
  [[nodiscard]] Located channels_last_form(ValueId id, const std::string& why) {
    return with_layout(id, channels_last(shape_of(id), type_), why);
  }
  /// The bytes of a value that is held in 8 bits, channels innermost.
  [[nodiscard]] Located channels_last_bytes(ValueId id, const std::string& why);
  /// The value's first form; one that is held in 8 bits is brought there.
  void produce(ValueId id, const Located& located);
  /// What a node's result had best be: floats in row-major order where only the caller reads it.
  [[nodiscard]] Layout result_layout(const Node& node, const Layout& otherwise) const;
  /// The same of a kernel that writes any type, where all post-ops are in it: bytes at once where
  /// the result is held so.
  [[nodiscard]] Layout stored_layout(const Node& node, const Layout& otherwise) const;
  [[nodiscard]] std::size_t add_storage(std::size_t bytes);
  [[nodiscard]] std::size_t add_weights(std::span<const std::byte> bytes);
  [[nodiscard]] Located add_constant(const Tensor& tensor, const Layout& layout);
  [[nodiscard]] Argument add_floats(const std::vector<float>& values);
  [[nodiscard]] Located new_result(const Layout& layout) {
    return {layout, add_storage(layout.bytes())};
  }

  // Steps. The first of a node's has its multiply-accumulates: further ones work on the result.
  void add_step(std::string name, std::string kernel, Kernel device,
                std::vector<Argument> arguments);
  template <class Parameters>
  void add_step(std::string name, std::string kernel, decltype(Kernel::launch) launch,
                Parameters parameters, std::vector<Argument> arguments) {
    add_step(std::move(name), std::move(kernel),
             Kernel{launch, std::make_shared<const Parameters>(std::move(parameters))},
             std::move(arguments));
  }
  /// to = post_ops(a op b), broadcast; `post_ops` of one operand only, as many as there are.
  void add_map(const std::string& name, const std::string& kernel, MapOp op, const Located& to,
               const Located& a, const Located* b, std::span<const PostOp> post_ops = {});
  void add_copy(const std::string& name, const Located& from, const Located& to);
  void add_rows(const Node& node, Rows rows, const Located& x, const Located& y,
                std::vector<Argument> scale_and_bias);

  const Graph& graph_;
  PlanOptions options_;
  std::shared_ptr<Plan> plan_;
  ElementKind kind_;       ///< Of the node that is being compiled, where it is not in integers.
  ElementType type_;       ///< That its values have.
  bool integers_ = false;  ///< Its products are of integers.
  std::optional<Located> callers_;   ///< The input as the caller gives it, of one held in 8 bits.
  std::int64_t uncounted_macs_ = 0;  ///< Of this node, until its first step has them.
  std::vector<std::vector<Located>> forms_;  ///< By value: each layout that it exists in.
  std::vector<std::size_t> reads_;           ///< By value: how often nodes read it.
  std::vector<bool> is_output_;
  GraphIndex index_;
  std::vector<bool> done_;  ///< By node: another one's step does its work.
  /// By node: the shortcut whose sums are there already, so that this one adds them and does what
  /// comes behind; null for most.
  std::vector<const Node*> joins_;
};

[[nodiscard]] inline Argument argument(const Located& located) {
  return {located.storage, located.offset};
}
/// Nothing for kAdd, which has an operand.
[[nodiscard]] std::optional<PostOpParameters> parameters_of(const PostOp& post_op);
/// The epilogue with its addresses. Buffers: two operands, the result, the bias, those of post-ops.
/// Of integers the factors are before those.
[[nodiscard]] Epilogue bound(Epilogue epilogue, bool float_rows, std::byte* const* buffers,
                             bool integers = false);
/// OIHW, as the tensor cores' kernel takes them: [out_c][kernel_h][kernel_w][in_c] of the stored
/// channels.
[[nodiscard]] std::vector<float> by_stored_channels(std::span<const float> weights,
                                                    const Shape& shape, const Convolution& c);
/// OIHW as [kernel_h][kernel_w][in][out_c], of which the last are stored channels.
[[nodiscard]] std::vector<float> by_taps(std::span<const float> weights, const Shape& shape,
                                         std::int64_t out_c);
[[nodiscard]] Scale stored_scale(const Quantization& q);
/// The places of an axis in memory, the filling among them.
[[nodiscard]] inline int stored_count(const Layout& layout, std::size_t axis) {
  return static_cast<int>(layout.filled_axis == static_cast<int>(axis) ? layout.filled
                                                                       : layout.dims[axis]);
}
/// Numbers as they lie in device memory.
[[nodiscard]] std::vector<std::byte> encode(std::span<const float> values, ElementType type);
/// As numbers of the device: all extents and strides are within 32 bits.
[[nodiscard]] inline int small(std::int64_t x) {
  return static_cast<int>(x);
}

}  // namespace hedge::cuda
