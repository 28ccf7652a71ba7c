// SPDX-License-Identifier: Apache-2.0
// Activations and arithmetic of two operands.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "backends/cpu/compiler.h"
#include "graph/operators/operator.h"
#include "graph/post_op.h"

namespace hedge::cpu {
namespace {

using Type = dnnl::memory::data_type;
using kernels::BinaryOp;

struct BinaryName {
  std::string_view op;
  dnnl::algorithm algorithm;
  BinaryOp own;
};
constexpr std::array<BinaryName, 8> kBinaries{
    {{"Add", dnnl::algorithm::binary_add, BinaryOp::kAdd},
     {"Sum", dnnl::algorithm::binary_add, BinaryOp::kAdd},
     {"Sub", dnnl::algorithm::binary_sub, BinaryOp::kSub},
     {"Mul", dnnl::algorithm::binary_mul, BinaryOp::kMul},
     {"Div", dnnl::algorithm::binary_div, BinaryOp::kDiv},
     // oneDNN's drop a NaN on one side.
     {"Min", dnnl::algorithm::undef, BinaryOp::kMin},
     {"Max", dnnl::algorithm::undef, BinaryOp::kMax},
     {"PRelu", dnnl::algorithm::undef, BinaryOp::kPRelu}}};

/// The axes of a packed layout in the order in which they lie in memory: outer parts by falling
/// stride, then the blocks.
struct MemoryAxis {
  std::size_t axis = 0;
  std::int64_t extent = 0;
  std::int64_t stride = 0;  ///< Of the layout itself, in elements.
  std::int64_t step = 0;    ///< How far it moves along the axis.
};
std::vector<MemoryAxis> memory_axes(const Blocking& layout) {
  std::vector<std::int64_t> block(layout.dims.size(), 1);
  std::vector<MemoryAxis> inner;
  std::int64_t stride = 1;
  for (std::size_t i = layout.inner_axes.size(); i-- > 0;) {
    const auto axis = static_cast<std::size_t>(layout.inner_axes[i]);
    inner.insert(inner.begin(), {axis, layout.inner_sizes[i], stride, block[axis]});
    stride *= layout.inner_sizes[i];
    block[axis] *= layout.inner_sizes[i];
  }
  std::vector<MemoryAxis> axes;
  for (std::size_t i = 0; i < layout.dims.size(); ++i) {
    axes.push_back({i, layout.padded[i] / block[i], layout.strides[i], block[i]});
  }
  // Axes of one element may have any stride.
  std::stable_sort(axes.begin(), axes.end(), [](const MemoryAxis& a, const MemoryAxis& b) {
    return (a.extent == 1 ? 0 : a.stride) > (b.extent == 1 ? 0 : b.stride);
  });
  axes.insert(axes.end(), inner.begin(), inner.end());
  return axes;
}

bool same_blocks(const Blocking& a, const Blocking& b) {
  return a.inner_axes == b.inner_axes && a.inner_sizes == b.inner_sizes;
}

/// The operand's stride for each of the result's axes in memory; 0 where it is broadcast. Nothing
/// where it cannot be followed in that order.
std::optional<std::vector<std::int64_t>> strides_in(const std::vector<MemoryAxis>& axes,
                                                    const Blocking& result,
                                                    const Blocking& operand) {
  const bool plain = operand.inner_axes.empty();
  if (!plain && !same_blocks(result, operand)) return std::nullopt;
  const auto own = memory_axes(operand);
  std::vector<std::int64_t> strides;
  for (const MemoryAxis& axis : axes) {
    const bool repeated = operand.dims[axis.axis] == 1 && result.dims[axis.axis] != 1;
    if (repeated) {
      strides.push_back(0);
    } else if (plain) {
      // The padding of a block has no counterpart there.
      if (result.padded[axis.axis] != result.dims[axis.axis]) return std::nullopt;
      strides.push_back(operand.strides[axis.axis] * axis.step);
    } else {
      const auto same = std::find_if(own.begin(), own.end(), [&](const MemoryAxis& other) {
        return other.axis == axis.axis && other.step == axis.step;
      });
      strides.push_back(same->stride);
    }
  }
  return strides;
}

/// Whether a kernel that runs over the padding of blocks too leaves zeros there, as oneDNN demands.
bool keeps_padding(BinaryOp op, const Blocking& result, const std::vector<Blocking>& operands) {
  if (result.padded == result.dims) return true;
  if (op == BinaryOp::kDiv) return false;
  for (std::size_t i = 0; i < result.dims.size(); ++i) {
    if (result.padded[i] == result.dims[i] || op == BinaryOp::kMul) continue;
    for (const Blocking& operand : operands) {
      if (operand.dims[i] == 1 && result.dims[i] != 1) return false;
    }
  }
  return true;
}

/// The loops of a kernel of our own; nothing where the layouts do not go together.
std::optional<kernels::Binary> loops_over(BinaryOp op, const Desc& result, const Desc& a,
                                          const Desc& b) {
  const auto layout = blocking_of(result);
  const auto a_layout = blocking_of(a);
  const auto b_layout = blocking_of(b);
  if (!layout || !a_layout || !b_layout) return std::nullopt;
  const auto axes = memory_axes(*layout);
  const auto a_strides = strides_in(axes, *layout, *a_layout);
  const auto b_strides = strides_in(axes, *layout, *b_layout);
  if (!a_strides || !b_strides || !keeps_padding(op, *layout, {*a_layout, *b_layout})) {
    return std::nullopt;
  }
  kernels::Binary loops{{}, *a_strides, *b_strides};
  for (const MemoryAxis& axis : axes) loops.extents.push_back(axis.extent);
  kernels::collapse(loops);
  return loops;
}

/// A layout of planes with the same blocks of channels, for an operand of other extents.
std::optional<Desc> like_blocks(const Desc& result, const Shape& shape) {
  const auto layout = blocking_of(result);
  if (!layout || layout->inner_sizes.size() != 1 || layout->inner_axes[0] != 1 ||
      shape.size() != 4) {
    return std::nullopt;
  }
  using Tag = dnnl::memory::format_tag;
  const auto size = layout->inner_sizes[0];
  if (size != 8 && size != 16) return std::nullopt;
  return Desc(Dims(shape), type_of(result), size == 8 ? Tag::nChw8c : Tag::nChw16c);
}

bool commutes(BinaryOp op) {
  return op == BinaryOp::kAdd || op == BinaryOp::kMul || op == BinaryOp::kMin ||
         op == BinaryOp::kMax;
}

}  // namespace

std::vector<Eltwise> eltwise_of(const PostOp& activation) {
  using Kind = PostOp::Kind;
  using dnnl::algorithm;
  const float alpha = activation.alpha;
  const float beta = activation.beta;
  switch (activation.kind) {
    case Kind::kRelu:
      return {{algorithm::eltwise_relu}};
    case Kind::kLeakyRelu:
      return {{algorithm::eltwise_relu, alpha}};
    case Kind::kClip:
      // Of bounds that cross, ONNX lets the upper one win, and oneDNN takes none.
      return {{algorithm::eltwise_clip, std::min(alpha, beta), beta}};
    case Kind::kElu:
      return {{algorithm::eltwise_elu, alpha}};
    case Kind::kTanh:
      return {{algorithm::eltwise_tanh}};
    case Kind::kSigmoid:
      return {{algorithm::eltwise_logistic}};
    case Kind::kHardSigmoid:  // 3.x has it as one; 2.x has not.
      return {{algorithm::eltwise_linear, alpha, beta}, {algorithm::eltwise_clip, 0, 1}};
    case Kind::kHardSwish:  // 2.x knows these numbers by heart, 3.x wants to be told.
      return {{algorithm::eltwise_hardswish, 1.F / 6, 0.5F}};
    case Kind::kSwish:
      return {{algorithm::eltwise_swish, alpha}};
    case Kind::kGelu:
      return {{algorithm::eltwise_gelu_erf}};
    case Kind::kGeluTanh:
      return {{algorithm::eltwise_gelu_tanh}};
    case Kind::kLinear:
      return {{algorithm::eltwise_linear, alpha, beta}};
    case Kind::kExp:
      return {{algorithm::eltwise_exp}};
    case Kind::kLog:
      return {{algorithm::eltwise_log}};
    case Kind::kSqrt:
      return {{algorithm::eltwise_sqrt}};
    case Kind::kAbs:
      return {{algorithm::eltwise_abs}};
    case Kind::kPow:
      return {{algorithm::eltwise_pow, alpha, beta}};
    case Kind::kAdd:
      break;
  }
  throw runtime_failure("a post-op of two operands is no activation");
}

void Compiler::add_activation(const Node& node, const PostOp& activation, const Located& from,
                              const Located& to) {
  Located source = from;
  for (const Eltwise& part : eltwise_of(activation)) {
    const AnyPrimitive primitive = eltwise(plan_->engine, part.algorithm, source.desc, part.alpha,
                                           part.beta, plain_attributes());
    if (is_slow(primitive.implementation) && add_own_activation(node, activation, source, to))
      return;
    add_library_step(node, primitive, {argument(DNNL_ARG_SRC, source), argument(DNNL_ARG_DST, to)},
                     fmt::format(" {}", to_string(activation.kind)));
    source = to;
  }
}

Obstacle Compiler::compile_elementwise(const Node& node) {
  Node plain = node;
  plain.post_ops.clear();
  const auto activation = activation_of(graph_, plain);
  if (!activation && node.op->name != "Identity" && node.op->name != "Dropout") {
    return compile_binary(node);
  }
  if (!activation && node.post_ops.empty()) return compile_view(node);
  const ValueId x = activation ? activation->varying : node.inputs[0];
  Located src = packed(x, node.name);
  const auto layout = blocking_of(src.desc);
  // Not every activation keeps the zeros that fill up a block.
  if (layout && layout->padded != layout->dims) src = row_major_form(x, node.name);
  if (activation) {
    const Located dst = new_result(src.desc);
    add_activation(node, activation->post_op, src, dst);
    finish(node, dst, 0);
    return {};
  }
  if (node.post_ops[0].kind == PostOp::Kind::kAdd) return "an Identity with an operand";
  const Located dst = new_result(src.desc);
  add_activation(node, node.post_ops[0], src, dst);
  finish(node, dst, 1);
  return {};
}

Located Compiler::relaid(const Node& node, const Operand& operand, const Desc& wanted) {
  if (operand.located.desc == wanted) return operand.located;
  if (operand.id != kNoValue && dims_of(wanted) == Dims(shape_of(operand.id))) {
    return with_desc(operand.id, wanted, node.name);
  }
  if (graph_.is_constant(operand.id)) {
    const Tensor& tensor = *graph_.value(operand.id).constant;
    return {wanted, add_weights(tensor, row_major(dims_of(wanted), Type::f32), wanted)};
  }
  const Located to = new_result(wanted);
  add_reorder(
      fmt::format("{} (for {})", operand.id == kNoValue ? node.name : graph_.value(operand.id).name,
                  node.name),
      operand.located, to);
  return to;
}

/// The operand with as many axes as the result: as it lies where it has them all, else row-major.
Compiler::Operand Compiler::widened_operand(const Node& node, Operand operand, std::size_t rank) {
  if (operand.shape.size() == rank && !operand.shape.empty()) return operand;
  if (operand.id != kNoValue) operand.located = row_major_form(operand.id, node.name);
  Shape wide(std::max<std::size_t>(rank, 1) - operand.shape.size(), 1);
  wide.insert(wide.end(), operand.shape.begin(), operand.shape.end());
  operand.located.desc = row_major(wide, type_of(operand.located.desc));
  operand.shape = wide;
  return operand;
}

Located Compiler::add_binary(const Node& node, dnnl::algorithm algorithm, BinaryOp op, Operand a,
                             Operand b, const Shape& shape, const PostOps& fused) {
  a = widened_operand(node, std::move(a), shape.size());
  b = widened_operand(node, std::move(b), shape.size());
  const Shape full = shape.empty() ? Shape{1} : shape;
  // The result lies as the operand that has its shape; a varying one decides before a constant.
  const bool by_b = b.shape == full && (a.shape != full || graph_.is_constant(a.id));
  if (by_b && commutes(op)) {
    std::swap(a, b);
  }
  const Operand& lead = by_b && !commutes(op) ? b : a;
  if (lead.shape == full) {
    const Desc layout = lead.located.desc;
    if (a.shape == full) a.located = relaid(node, a, layout);
    if (b.shape == full) b.located = relaid(node, b, layout);
    if (a.shape == full && algorithm != dnnl::algorithm::undef) {
      const auto done = add_library_binary(node, algorithm, a, b, layout, fused);
      if (done) return *done;
    }
  }
  return add_own_binary(node, op, a, b, full, fused);
}

std::optional<Located> Compiler::add_library_binary(const Node& node, dnnl::algorithm algorithm,
                                                    const Operand& a, const Operand& b,
                                                    const Desc& layout, const PostOps& fused) {
  try {
    const AnyPrimitive primitive = binary(plan_->engine, algorithm, a.located.desc, b.located.desc,
                                          layout, attributes_of(node, fused));
    if (is_slow(primitive.implementation)) return std::nullopt;
    const Located dst = new_result(primitive.dst);
    add_library_step(node, primitive,
                     {argument(DNNL_ARG_SRC_0, a.located), argument(DNNL_ARG_SRC_1, b.located),
                      argument(DNNL_ARG_DST, dst)},
                     fused.text);
    return dst;
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_unimplemented && error.status != dnnl_invalid_arguments) throw;
    return std::nullopt;
  }
}

Located Compiler::add_own_binary(const Node& node, BinaryOp op, Operand a, Operand b,
                                 const Shape& shape, const PostOps& fused) {
  const Desc row = row_major(shape, Type::f32);
  Desc result = a.shape == shape ? a.located.desc : b.shape == shape ? b.located.desc : row;
  std::optional<kernels::Binary> loops;
  if (type_of(result) == Type::f32 && is_packed(result)) {
    for (Operand* operand : {&a, &b}) {  // Small ones are laid out as the large one.
      if (operand->shape == shape) continue;
      const auto like = like_blocks(result, operand->shape);
      const auto layout = blocking_of(result);
      const bool padded = layout && layout->padded != layout->dims;
      if (like && padded) operand->located = relaid(node, *operand, *like);
    }
    if (type_of(a.located.desc) == Type::f32 && type_of(b.located.desc) == Type::f32) {
      loops = loops_over(op, result, a.located.desc, b.located.desc);
    }
  }
  if (!loops) {
    result = row;
    a.located = relaid(node, a, row_major(a.shape, Type::f32));
    b.located = relaid(node, b, row_major(b.shape, Type::f32));
    loops = loops_over(op, result, a.located.desc, b.located.desc);
  }
  const Located dst = new_result(result);
  add_own_step(node, fmt::format("{} hedge:binary", node.op->name),
               {kernels::binary_kernel(op, isa_),
                std::make_shared<const kernels::Binary>(std::move(*loops))},
               {argument(0, a.located), argument(0, b.located), argument(0, dst)});
  for (std::size_t i = 0; i < fused.end; ++i) add_activation(node, node.post_ops[i], dst, dst);
  return dst;
}

Obstacle Compiler::compile_binary(const Node& node) {
  const auto* found =
      std::find_if(kBinaries.begin(), kBinaries.end(),
                   [&](const BinaryName& entry) { return entry.op == node.op->name; });
  if (found == kBinaries.end()) return "no fast kernel";
  for (const ValueId id : node.inputs) {
    if (id == kNoValue || is_raw(id)) return "an operand that is not float32";
  }
  if (node.inputs.size() == 1) return compile_view(node);
  const Shape& shape = shape_of(node.outputs[0]);
  const auto operand = [&](std::size_t i) {
    return Operand{packed(node.inputs[i], node.name), shape_of(node.inputs[i]), node.inputs[i]};
  };
  PostOps fused = post_ops(node, Fusing::kLibrary);
  if (fused.residual != kNoValue) fused = PostOps{};
  Operand result = operand(0);
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    const bool last = i + 1 == node.inputs.size();
    result = {add_binary(node, found->algorithm, found->own, result, operand(i), shape,
                         last ? fused : PostOps{}),
              shape, kNoValue};
  }
  finish(node, result.located, fused.end);
  return {};
}

}  // namespace hedge::cpu
