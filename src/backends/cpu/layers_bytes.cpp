// SPDX-License-Identifier: Apache-2.0
// The ways into 8 bits and out of them, and layers that take bytes as they are.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "backends/cpu/compiler.h"
#include "backends/cpu/kernels/quantize.h"
#include "graph/query.h"

namespace hedge::cpu {
namespace {

using Type = dnnl::memory::data_type;

}  // namespace

bool Compiler::moves_bytes(const Node& node) const {
  constexpr std::array<std::string_view, 9> kNames{"MaxPool", "Reshape",   "Flatten",
                                                   "Squeeze", "Unsqueeze", "Transpose",
                                                   "Concat",  "Split",     "Identity"};
  const bool known = std::any_of(kNames.begin(), kNames.end(),
                                 [&](std::string_view name) { return is_op(node, name); });
  if (!known || !node.post_ops.empty()) return false;
  const auto& q = quantization_of(node.inputs[0]);
  const auto alike = [&](ValueId id) { return id == kNoValue || quantization_of(id) == q; };
  const bool one_input = !is_op(node, "Concat");
  return q && !is_raw(node.inputs[0]) &&
         std::all_of(node.outputs.begin(), node.outputs.end(), alike) &&
         (one_input || std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
            return alike(id) && !graph_.is_constant(id);
          }));
}

/// By its strides; other layouts are reordered to a plain one first.
void Compiler::quantize_form(ValueId id, const Located& floats) {
  const Quantization& q = *quantization_of(id);
  const Shape& shape = shape_of(id);
  const auto plain = [](const Desc& desc) {
    const auto layout = blocking_of(desc);
    return type_of(desc) == Type::f32 && layout && layout->inner_axes.empty();
  };
  const bool planes = shape.size() == 4;
  Located from = floats;
  if (!plain(from.desc)) {
    from = new_result(planes ? nhwc(shape, Type::f32) : row_major(shape, Type::f32));
    add_reorder(fmt::format("{} (for 8 bits)", graph_.value(id).name), floats, from);
  }
  const Located to =
      new_result(planes ? nhwc(shape, byte_type(q)) : row_major(shape, byte_type(q)));
  const auto from_layout = blocking_of(from.desc);
  const auto to_layout = blocking_of(to.desc);
  auto loops = kernels::conversion(from_layout->dims, from_layout->strides, to_layout->strides);
  loops.scale = q.scales.at(0);
  loops.zero_point = q.zero_point;
  bytes_ = true;
  add_step({.name = fmt::format("{} (to 8 bits)", graph_.value(id).name),
            .kernel = "quantize hedge:quantize",
            .own = {kernels::quantize_kernel(q.type == DataType::kInt8, isa_),
                    std::make_shared<const kernels::Conversion>(std::move(loops))},
            .arguments = {argument(0, from), argument(0, to)}});
  add_form(id, to);
  bytes_ = false;
}

/// In the layout in which its bytes lie, but without gaps.
void Compiler::dequantize_form(ValueId id) {
  const Quantization& q = *quantization_of(id);
  const Located from = byte_forms_.at(static_cast<std::size_t>(id)).at(0);
  const Shape& shape = shape_of(id);
  const Desc same = with_type(from.desc, Type::f32);
  const Located to = new_result(is_packed(same) ? same : row_major(shape, Type::f32));
  const auto from_layout = blocking_of(from.desc);
  const auto to_layout = blocking_of(to.desc);
  auto loops = kernels::conversion(from_layout->dims, from_layout->strides, to_layout->strides);
  loops.scale = q.scales.at(0);
  loops.zero_point = q.zero_point;
  add_step({.name = fmt::format("{} (from 8 bits)", graph_.value(id).name),
            .kernel = "dequantize hedge:dequantize",
            .own = {kernels::dequantize_kernel(q.type == DataType::kInt8, isa_),
                    std::make_shared<const kernels::Conversion>(std::move(loops))},
            .arguments = {argument(0, from), argument(0, to)},
            .precision = "int8"});
  add_form(id, to);
}

bool Compiler::adds_bytes(const Node& node) const {
  const ValueId out = node.outputs[0];
  const auto is_operand = [&](ValueId id) {
    return id != kNoValue && !graph_.is_constant(id) && quantization_of(id) && !is_raw(id) &&
           type_of_value(id) == type_of_value(out);
  };
  return (is_op(node, "Add") || is_op(node, "Sum")) && node.inputs.size() == 2 &&
         quantization_of(out) && is_operand(node.inputs[0]) && is_operand(node.inputs[1]) &&
         std::all_of(node.post_ops.begin(), node.post_ops.end(), is_bound);
}

/// Residuals of models with Q/DQ nodes, where the convolution's own result is rounded before.
Obstacle Compiler::compile_byte_add(const Node& node) {
  const Located a = locate(node.inputs[0]);
  if (!is_packed(a.desc)) return "an operand with gaps";
  const Located b = with_desc(
      node.inputs[1], with_type(a.desc, byte_type(*quantization_of(node.inputs[1]))), node.name);
  const Quantization* const held[3] = {&*quantization_of(node.inputs[0]),
                                       &*quantization_of(node.inputs[1]),
                                       &*quantization_of(node.outputs[0])};
  const Located dst = new_result(with_type(a.desc, byte_type(*held[2])));
  const PostOps fused{0, node.post_ops.size(), kNoValue, {}};
  const Bounds bounds = bounds_of(node, fused);
  kernels::ByteAdd sum{
      .count = element_count(shape_of(node.outputs[0])), .low = bounds.low, .high = bounds.high};
  bool is_signed[3];
  for (std::size_t i = 0; i < 3; ++i) {
    sum.scales[i] = held[i]->scales[0];
    sum.zero_points[i] = held[i]->zero_point;
    is_signed[i] = held[i]->type == DataType::kInt8;
  }
  add_own_step(
      node, fmt::format("{} hedge:byte_add{}", node.op->name, post_ops(node, Fusing::kOwn).text),
      {kernels::byte_add_kernel(is_signed, isa_), std::make_shared<const kernels::ByteAdd>(sum)},
      {argument(0, a), argument(0, b), argument(0, dst)});
  produce(node.outputs[0], dst);
  return {};
}

/// A global average over bytes in NHWC, into floats. Whether it was one.
bool Compiler::add_byte_mean(const Node& node) {
  const ValueId id = node.inputs[0];
  const auto& q = quantization_of(id);
  const Shape& shape = shape_of(id);
  if (!q || q->scales.size() != 1 || shape.size() != 4 || graph_.is_constant(id)) return false;
  bytes_ = true;
  const Located src = with_desc(id, nhwc(shape, byte_type(*q)), node.name);
  const std::int64_t pixels = shape[2] * shape[3];
  const kernels::PlaneMean mean{.batch = shape[0],
                                .pixels = pixels,
                                .channels = shape[1],
                                .factor = q->scales[0] / static_cast<float>(pixels),
                                .zero_points = static_cast<std::int32_t>(q->zero_point * pixels)};
  const Located dst = new_result(nhwc(shape_of(node.outputs[0]), Type::f32));
  add_own_step(node, "GlobalAveragePool hedge:byte_mean",
               {kernels::plane_mean_kernel(q->type == DataType::kInt8, isa_),
                std::make_shared<const kernels::PlaneMean>(mean)},
               {argument(0, src), argument(0, dst)});
  bytes_ = false;
  finish(node, dst, 0);
  return true;
}

}  // namespace hedge::cpu
