// SPDX-License-Identifier: Apache-2.0
// Pooling, normalisation and reductions.

#include <fmt/format.h>

#include <algorithm>

#include "backends/cuda/compiler.h"
#include "backends/cuda/kernels/planes.h"
#include "backends/cuda/window.h"
#include "graph/operators/common.h"
#include "graph/query.h"

namespace hedge::cuda {
namespace {

using operators::normal_axis;

cudaError_t run_pool(const void* parameters, std::byte* const* buffers, const Launch& launch) {
  return launch_pool(*static_cast<const Pool*>(parameters), buffers[1], buffers[0], launch);
}
cudaError_t run_lrn(const void* parameters, std::byte* const* buffers, const Launch& launch) {
  return launch_lrn(*static_cast<const Lrn*>(parameters), buffers[1], buffers[0], launch);
}
/// Buffers: x, y; of a norm scale and bias too.
cudaError_t run_rows(const void* parameters, std::byte* const* buffers, const Launch& launch) {
  const auto& rows = *static_cast<const Rows*>(parameters);
  const bool norm = rows.op == RowsOp::kNormalize;
  return launch_rows(rows, buffers[1], buffers[0],
                     norm ? reinterpret_cast<const float*>(buffers[2]) : nullptr,
                     norm ? reinterpret_cast<const float*>(buffers[3]) : nullptr, launch);
}

/// One axis of what goes over rows, with its strides.
struct RowAxis {
  std::int64_t extent = 1;
  std::int64_t x = 0, y = 0, scale = 0;
};

/// Axes of one place go, those that lie one behind the other in all operands become one.
std::vector<RowAxis> merged(const std::vector<RowAxis>& axes) {
  std::vector<RowAxis> result;
  for (const RowAxis& axis : axes) {
    if (axis.extent == 1) continue;
    if (!result.empty()) {
      RowAxis& outer = result.back();
      if (outer.x == axis.extent * axis.x && outer.y == axis.extent * axis.y &&
          outer.scale == axis.extent * axis.scale) {
        outer = {outer.extent * axis.extent, axis.x, axis.y, axis.scale};
        continue;
      }
    }
    result.push_back(axis);
  }
  return result;
}

/// Nothing where there are too many axes.
std::optional<Rows> rows_over(RowsOp op, const std::vector<RowAxis>& outer,
                              const std::vector<RowAxis>& inner) {
  Rows rows{.op = op};
  const auto fill = [](const std::vector<RowAxis>& from, int& axes, int* extents, int& count,
                       int* x, int* y, int* scale) {
    const auto all = merged(from);
    if (all.size() > kMostRowAxes) return false;
    axes = static_cast<int>(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      extents[i] = small(all[i].extent);
      count *= extents[i];
      x[i] = small(all[i].x);
      y[i] = small(all[i].y);
      scale[i] = small(all[i].scale);
    }
    return true;
  };
  if (!fill(outer, rows.outer_axes, rows.outer_extents, rows.rows, rows.x.outer, rows.y.outer,
            rows.scale.outer) ||
      !fill(inner, rows.inner_axes, rows.inner_extents, rows.length, rows.x.inner, rows.y.inner,
            rows.scale.inner)) {
    return std::nullopt;
  }
  return rows;
}

}  // namespace

Window window_over(const Node& node, const Shape& in, const Shape& out, const Shape& kernel,
                   ElementType type) {
  const auto sliding = operators::sliding_window(node, Shape(in.begin() + 2, in.end()), kernel);
  const std::int64_t granule = granule_of(type);
  const auto stored = [&](std::int64_t c) { return small((c + granule - 1) / granule * granule); };
  Window window;
  Convolution& c = window.shape;
  const std::size_t x = kernel.size() - 1;  // The axis of columns.
  c.batch = small(in[0]);
  c.in_c = stored(in[1]);
  c.out_c = stored(out[1]);
  c.in_w = small(in[x + 2]);
  c.out_w = small(out[x + 2]);
  c.kernel_w = small(kernel[x]);
  c.stride_w = small(sliding.strides[x]);
  c.dilation_w = small(sliding.dilations[x]);
  c.pad_left = small(sliding.pad_begin[x]);
  window.pad_right = small(sliding.pad_end[x]);
  if (kernel.size() == 2) {
    c.in_h = small(in[2]);
    c.out_h = small(out[2]);
    c.kernel_h = small(kernel[0]);
    c.stride_h = small(sliding.strides[0]);
    c.dilation_h = small(sliding.dilations[0]);
    c.pad_top = small(sliding.pad_begin[0]);
    window.pad_bottom = small(sliding.pad_end[0]);
  }
  return window;
}

Obstacle Compiler::compile_pooling(const Node& node) {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  if (in.size() != 3 && in.size() != 4) return "pooling over other than rows or planes";
  if (add_head(node)) return {};
  const auto held = scale_of(node.inputs[0]);
  const ElementType type = held ? ElementType::kInt8 : type_;
  Pool pool{.type = type, .used_c = small(in[1])};
  if (node.op->name.starts_with("Global")) {
    Node whole = node;
    whole.attributes = {};
    const Window window = window_over(whole, in, out, Shape(in.begin() + 2, in.end()), type);
    pool.shape = window.shape;
  } else {
    const Window window =
        window_over(node, in, out, node.attributes.get_ints("kernel_shape"), type);
    pool.shape = window.shape;
    pool.pad_bottom = window.pad_bottom;
    pool.pad_right = window.pad_right;
  }
  if (node.op->name.ends_with("AveragePool")) {
    pool.op = node.attributes.get_int("count_include_pad", 0) != 0 ? PoolOp::kMeanPadded
                                                                   : PoolOp::kMeanInside;
  } else if (!node.op->name.ends_with("MaxPool")) {
    return "no kernel";
  }
  const Located x = held ? channels_last_bytes(node.inputs[0], node.name)
                         : channels_last_form(node.inputs[0], node.name);
  const Located y = new_result(held ? any_result(node, 1, 0) : channels_last(out, type_));
  pool.shape.out_c = stored_count(y.layout, 1);
  pool.scale = x.layout.scale;
  pool.result_type = y.layout.type;
  pool.result_scale = y.layout.scale;
  add_step(node.name, fmt::format("{} hedge:pool", node.op->name), run_pool, pool,
           {argument(x), argument(y)});
  finish(node, y, 0);
  return {};
}

Obstacle Compiler::compile_lrn(const Node& node) {
  const Shape& in = shape_of(node.inputs[0]);
  if (in.size() != 4) return "other than planes (4 axes)";
  const Located x = channels_last_form(node.inputs[0], node.name);
  const Located y = new_result(channels_last(in, type_));
  const Lrn lrn{
      .type = type_,
      .pixels = small(in[0] * in[2] * in[3]),
      .stored_c = small(in[1] + granule_of(type_) - 1) / granule_of(type_) * granule_of(type_),
      .used_c = small(in[1]),
      .size = small(std::min<std::int64_t>(node.attributes.get_int("size", 1), 1 << 20)),
      .alpha = node.attributes.get_float("alpha", 1e-4F),
      .beta = node.attributes.get_float("beta", 0.75F),
      .bias = node.attributes.get_float("bias", 1)};
  add_step(node.name, "LRN hedge:lrn", run_lrn, lrn, {argument(x), argument(y)});
  finish(node, y, 0);
  return {};
}

void Compiler::add_rows(const Node& node, Rows rows, const Located& x, const Located& y,
                        std::vector<Argument> scale_and_bias) {
  rows.x_type = x.layout.type;
  rows.y_type = y.layout.type;
  std::vector<Argument> arguments{argument(x), argument(y)};
  arguments.insert(arguments.end(), scale_and_bias.begin(), scale_and_bias.end());
  add_step(node.name, fmt::format("{} hedge:rows", node.op->name), run_rows, rows,
           std::move(arguments));
  finish(node, y, 0);
}

Obstacle Compiler::compile_softmax(const Node& node) {
  const Located x = locate_floats(node.inputs[0]);
  const Shape& shape = x.layout.dims;
  if (shape.empty()) return "a scalar";
  const std::size_t axis = normal_axis(node.attributes.get_int("axis", -1), shape.size());
  const Layout layout = result_layout(node, plain_like(x.layout, type_));
  std::vector<RowAxis> outer;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i != axis) outer.push_back({shape[i], x.layout.strides[i], layout.strides[i]});
  }
  const auto rows = rows_over(is_op(node, "Softmax") ? RowsOp::kSoftmax : RowsOp::kLogSoftmax,
                              outer, {{shape[axis], x.layout.strides[axis], layout.strides[axis]}});
  if (!rows) return "too many axes";
  add_rows(node, *rows, x, new_result(layout), {});
  return {};
}

Obstacle Compiler::compile_normalization(const Node& node) {
  const Located x = locate_floats(node.inputs[0]);
  const Shape& shape = x.layout.dims;
  if (node.inputs.size() < 2 || node.inputs[1] == kNoValue || is_raw(node.inputs[1])) {
    return "no scale";
  }
  const Layout layout = result_layout(node, plain_like(x.layout, type_));
  const auto axis_of = [&](std::size_t i, std::int64_t scale) {
    return RowAxis{shape[i], x.layout.strides[i], layout.strides[i], scale};
  };
  const Shape& scale_shape = shape_of(node.inputs[1]);
  const std::int64_t scales = element_count(scale_shape);
  std::vector<RowAxis> outer;
  std::vector<RowAxis> inner;
  if (is_op(node, "LayerNormalization")) {
    const std::size_t axis = normal_axis(node.attributes.get_int("axis", -1), shape.size());
    if (scale_shape.size() > shape.size()) return "a scale of more axes";
    const Layout scale = broadcast(row_major(scale_shape, ElementType::kFloat32), shape);
    for (std::size_t i = 0; i < shape.size(); ++i) {
      (i < axis ? outer : inner).push_back(axis_of(i, scale.strides[i]));
    }
  } else if (is_op(node, "InstanceNormalization") || is_op(node, "GroupNormalization")) {
    if (shape.size() < 3) return "no plane";
    const std::int64_t groups =
        is_op(node, "InstanceNormalization") ? shape[1] : node.attributes.get_int("num_groups", 1);
    if (scales != shape[1] && scales != groups) return "a scale that is broadcast";
    const std::int64_t each = shape[1] / groups;
    // One scale a channel, or (opset 18) one a group.
    const bool by_channel = scales == shape[1];
    const std::int64_t x_stride = x.layout.strides[1];
    const std::int64_t y_stride = layout.strides[1];
    outer = {axis_of(0, 0), {groups, x_stride * each, y_stride * each, by_channel ? each : 1}};
    inner = {{each, x_stride, y_stride, by_channel ? 1 : 0}};
    for (std::size_t i = 2; i < shape.size(); ++i) inner.push_back(axis_of(i, 0));
  } else {
    return "no kernel";
  }
  auto rows = rows_over(RowsOp::kNormalize, outer, inner);
  if (!rows) return "too many axes";
  rows->epsilon = node.attributes.get_float("epsilon", 1e-5F);
  std::vector<Argument> operands{argument(row_major_floats(node.inputs[1], node.name))};
  if (has_input(node, 2)) {
    if (graph_.value(node.inputs[2]).type != graph_.value(node.inputs[1]).type) {
      return "a bias of another shape than the scale";
    }
    operands.push_back(argument(row_major_floats(node.inputs[2], node.name)));
  } else {
    operands.push_back(add_floats(std::vector<float>(static_cast<std::size_t>(scales), 0.F)));
  }
  add_rows(node, *rows, x, new_result(layout), std::move(operands));
  return {};
}

Obstacle Compiler::compile_reduction(const Node& node) {
  RowsOp op{};
  if (is_op(node, "ReduceMean")) {
    op = RowsOp::kMean;
  } else if (is_op(node, "ReduceSum")) {
    op = RowsOp::kSum;
  } else if (is_op(node, "ReduceMax")) {
    op = RowsOp::kMax;
  } else {
    return "no kernel";
  }
  const auto axes = reduced_axes(graph_, node);
  if (!axes || axes->empty()) return "axes that are not known before the run, or none";
  const Located x = locate_floats(node.inputs[0]);
  const Layout layout = result_layout(node, row_major(shape_of(node.outputs[0]), type_));
  const Shape& shape = x.layout.dims;
  const bool keeps = layout.dims.size() == shape.size();
  std::vector<RowAxis> outer;
  std::vector<RowAxis> inner;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (std::binary_search(axes->begin(), axes->end(), i)) {
      inner.push_back({shape[i], x.layout.strides[i]});
    } else {
      outer.push_back({shape[i], x.layout.strides[i], layout.strides[keeps ? i : kept++]});
    }
  }
  const auto rows = rows_over(op, outer, inner);
  if (!rows) return "too many axes";
  add_rows(node, *rows, x, new_result(layout), {});
  return {};
}

}  // namespace hedge::cuda
