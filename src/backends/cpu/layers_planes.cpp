// SPDX-License-Identifier: Apache-2.0
// Pooling, normalisation and reductions.

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "backends/cpu/compiler.h"
#include "backends/cpu/kernels/rows.h"
#include "graph/operators/common.h"
#include "graph/query.h"

namespace hedge::cpu {
namespace {

using operators::normal_axis;
using Type = dnnl::memory::data_type;

std::int64_t product(const Shape& shape, std::size_t begin, std::size_t end) {
  return element_count(Shape(shape.begin() + static_cast<std::ptrdiff_t>(begin),
                             shape.begin() + static_cast<std::ptrdiff_t>(end)));
}

std::string why_not_pooled(const Node& node, const Shape& in) {
  if (in.size() != 4) return "pooling over other than planes (4 axes)";
  const auto dilations = node.attributes.get_ints("dilations");
  const bool dilated = std::any_of(dilations.begin(), dilations.end(),
                                   [](std::int64_t dilation) { return dilation != 1; });
  if (is_op(node, "LpPool") || is_op(node, "GlobalLpPool")) return "no fast kernel";
  if (!is_op(node, "AveragePool")) return {};
  if (dilated) return "a dilated average";
  if (node.attributes.get_int("ceil_mode", 0) != 0 &&
      node.attributes.get_int("count_include_pad", 0) != 0) {
    return "ceil_mode with count_include_pad, which oneDNN divides otherwise than ONNX";
  }
  return {};
}

}  // namespace

Obstacle Compiler::compile_pooling(const Node& node) {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  if (auto obstacle = why_not_pooled(node, in); !obstacle.empty()) return obstacle;
  const bool global = node.op->name.starts_with("Global");
  const Window window = global ? Window{{in[2], in[3]}, {in[2], in[3]}, {0, 0}, {0, 0}, {0, 0}}
                               : window_of(node, node.attributes.get_ints("kernel_shape"), in);
  auto algorithm = dnnl::algorithm::pooling_max;
  if (is_op(node, "AveragePool") || is_op(node, "GlobalAveragePool")) {
    algorithm = node.attributes.get_int("count_include_pad", 0) != 0
                    ? dnnl::algorithm::pooling_avg_include_padding
                    : dnnl::algorithm::pooling_avg_exclude_padding;
  }
  if (is_op(node, "GlobalAveragePool") && add_byte_mean(node)) return {};
  const Located src = packed(node.inputs[0], node.name);
  const AnyPrimitive pool = pooling(plan_->engine, algorithm, src.desc,
                                    any_layout(out, type_of(src.desc)), window, plain_attributes());
  if (bytes_ && is_slow(pool.implementation)) return "no fast kernel over 8 bits";
  if (precision_ == Type::f32 && is_slow(pool.implementation)) {
    add_own_pool(node, window);
    return {};
  }
  const Located dst = new_result(pool.dst);
  add_library_step(node, pool, {argument(DNNL_ARG_SRC, src), argument(DNNL_ARG_DST, dst)}, {});
  finish(node, dst, 0);
  return {};
}

Obstacle Compiler::compile_softmax(const Node& node) {
  const Shape& shape = shape_of(node.inputs[0]);
  if (shape.empty()) return "a scalar";
  const Located src = row_major_floats(node.inputs[0], node.name);
  const auto axis =
      static_cast<int>(normal_axis(node.attributes.get_int("axis", -1), shape.size()));
  const dnnl::primitive_attr attr = plain_attributes();
  const AnyPrimitive primitive = is_op(node, "Softmax")
                                     ? softmax(plan_->engine, src.desc, axis, attr)
                                     : log_softmax(plan_->engine, src.desc, axis, attr);
  if (is_op(node, "Softmax") && is_slow(primitive.implementation)) {
    add_own_softmax(node, src, static_cast<std::size_t>(axis));
    return {};
  }
  const Located dst = new_result(primitive.dst);
  add_library_step(node, primitive, {argument(DNNL_ARG_SRC, src), argument(DNNL_ARG_DST, dst)}, {});
  finish(node, dst, 0);
  return {};
}

Obstacle Compiler::compile_lrn(const Node& node) {
  const std::int64_t size = node.attributes.get_int("size", 1);
  if (shape_of(node.inputs[0]).size() != 4) return "other than planes (4 axes)";
  if (size % 2 == 0) return "an even window, which oneDNN centres otherwise than ONNX";
  const Located src = packed(node.inputs[0], node.name);
  const AnyPrimitive primitive =
      lrn(plan_->engine, src.desc, size, node.attributes.get_float("alpha", 1e-4F),
          node.attributes.get_float("beta", 0.75F), node.attributes.get_float("bias", 1),
          plain_attributes());
  const Located dst = new_result(primitive.dst);
  add_library_step(node, primitive, {argument(DNNL_ARG_SRC, src), argument(DNNL_ARG_DST, dst)}, {});
  finish(node, dst, 0);
  return {};
}

Obstacle Compiler::compile_normalization(const Node& node) {
  const Shape& shape = shape_of(node.inputs[0]);
  if (node.inputs.size() < 2 || node.inputs[1] == kNoValue || is_raw(node.inputs[1])) {
    return "no scale";
  }
  const std::int64_t scales = element_count(shape_of(node.inputs[1]));
  kernels::Normalize rows{.epsilon = node.attributes.get_float("epsilon", 1e-5F)};
  if (is_op(node, "LayerNormalization")) {
    const std::size_t axis = normal_axis(node.attributes.get_int("axis", -1), shape.size());
    rows.columns = product(shape, axis, shape.size());
    if (scales != rows.columns) return "a scale that is broadcast";
  } else if (is_op(node, "InstanceNormalization") || is_op(node, "GroupNormalization")) {
    if (shape.size() < 3) return "no plane";
    const std::int64_t groups =
        is_op(node, "InstanceNormalization") ? shape[1] : node.attributes.get_int("num_groups", 1);
    const std::int64_t plane = product(shape, 2, shape.size());
    rows.columns = shape[1] / groups * plane;
    rows.channels = scales;
    // One scale a channel, or (opset 18) one a group.
    rows.plane = scales == shape[1] ? plane : rows.columns;
    if (scales != shape[1] && scales != groups) return "a scale that is broadcast";
  } else {
    return "no fast kernel";
  }
  rows.rows = element_count(shape) / rows.columns;
  const Located src = row_major_floats(node.inputs[0], node.name);
  const Located scale = row_major_floats(node.inputs[1], node.name);
  Located bias;
  if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
    if (graph_.value(node.inputs[2]).type != graph_.value(node.inputs[1]).type) {
      return "a bias of another shape than the scale";
    }
    bias = row_major_floats(node.inputs[2], node.name);
  } else {
    const Desc desc = row_major({scales}, Type::f32);
    bias = {desc, add_weights(Tensor(DataType::kFloat32, {scales}), desc, desc)};
  }
  const Located dst = new_result(row_major(shape, Type::f32));
  add_own_step(node, fmt::format("{} hedge:normalize", node.op->name),
               {kernels::normalize_kernel(isa_), std::make_shared<const kernels::Normalize>(rows)},
               {argument(0, src), argument(0, scale), argument(0, bias), argument(0, dst)});
  finish(node, dst, 0);
  return {};
}

Obstacle Compiler::compile_reduction(const Node& node) {
  const Shape& shape = shape_of(node.inputs[0]);
  kernels::ReduceOp op{};
  if (is_op(node, "ReduceMean")) {
    op = kernels::ReduceOp::kMean;
  } else if (is_op(node, "ReduceSum")) {
    op = kernels::ReduceOp::kSum;
  } else if (is_op(node, "ReduceMax")) {
    op = kernels::ReduceOp::kMax;
  } else {
    return "no fast kernel";
  }
  const auto axes = reduced_axes(graph_, node);
  if (!axes || axes->empty()) return "axes that are not known before the run, or none";
  if (axes->back() - axes->front() + 1 != axes->size()) return "axes that do not lie together";
  const kernels::Reduce loops{.outer = product(shape, 0, axes->front()),
                              .reduced = product(shape, axes->front(), axes->back() + 1),
                              .inner = product(shape, axes->back() + 1, shape.size())};
  const Located src = row_major_floats(node.inputs[0], node.name);
  const Located dst = new_result(row_major(shape_of(node.outputs[0]), Type::f32));
  add_own_step(node, fmt::format("{} hedge:reduce", node.op->name),
               {kernels::reduce_kernel(op, isa_), std::make_shared<const kernels::Reduce>(loops)},
               {argument(0, src), argument(0, dst)});
  finish(node, dst, 0);
  return {};
}

Window window_of(const Node& node, const Dims& kernel, const Shape& in) {
  const Shape plane{in[2], in[3]};
  auto sliding = operators::sliding_window(node, plane, kernel);
  if (node.attributes.get_int("ceil_mode", 0) != 0) {
    // To oneDNN, all that the last window reaches beyond the plane is padding.
    for (std::size_t i = 0; i < plane.size(); ++i) {
      const std::int64_t reach = (kernel[i] - 1) * sliding.dilations[i] + 1;
      const std::int64_t end = (sliding.output[i] - 1) * sliding.strides[i] + reach;
      sliding.pad_end[i] = std::max<std::int64_t>(end - plane[i] - sliding.pad_begin[i], 0);
    }
  }
  for (std::int64_t& dilation : sliding.dilations) --dilation;
  return {.kernel = kernel,
          .strides = std::move(sliding.strides),
          .dilations = std::move(sliding.dilations),
          .pad_begin = std::move(sliding.pad_begin),
          .pad_end = std::move(sliding.pad_end)};
}

}  // namespace hedge::cpu
