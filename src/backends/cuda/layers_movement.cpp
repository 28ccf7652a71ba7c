// SPDX-License-Identifier: Apache-2.0
// Layers that move elements, or only see them otherwise.

#include <fmt/format.h>

#include <algorithm>

#include "backends/cuda/compiler.h"
#include "graph/movement.h"
#include "graph/operators/common.h"
#include "graph/query.h"

namespace hedge::cuda {
namespace {

using operators::normal_axis;

cudaError_t run_gather(const void* parameters, std::byte* const* buffers, const Launch& launch) {
  return launch_gather(*static_cast<const Gather*>(parameters), buffers[0], buffers[1],
                       reinterpret_cast<const std::int32_t*>(buffers[2]), launch);
}

/// Positions in row-major order to offsets in a layout; -1 stays.
std::vector<std::int32_t> offsets_in(const Layout& layout, std::vector<std::int32_t> positions) {
  for (std::int32_t& position : positions) {
    if (position < 0) continue;
    std::int64_t rest = position;
    std::int64_t offset = 0;
    for (std::size_t axis = layout.dims.size(); axis-- > 0;) {
      offset += rest % layout.dims[axis] * layout.strides[axis];
      rest /= layout.dims[axis];
    }
    position = small(offset);
  }
  return positions;
}

/// Offsets as a start and a stride for each axis, where they are so regular.
struct View {
  std::int64_t start = 0;
  Shape strides;
};
std::optional<View> as_view(const std::vector<std::int32_t>& offsets, const Shape& shape) {
  if (offsets.empty() || offsets[0] < 0) return std::nullopt;
  View view{offsets[0], Shape(shape.size(), 0)};
  const Shape flat = operators::strides_of(shape);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1) continue;
    const std::int32_t next = offsets[static_cast<std::size_t>(flat[axis])];
    if (next < 0) return std::nullopt;
    view.strides[axis] = next - offsets[0];
  }
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    std::int64_t expected = view.start;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      expected += static_cast<std::int64_t>(i) / flat[axis] % shape[axis] * view.strides[axis];
    }
    if (offsets[i] < 0 || offsets[i] != expected) return std::nullopt;
  }
  return view;
}

Layout plain_bytes(Layout layout, const Scale& scale) {
  layout.type = ElementType::kInt8;
  layout.scale = scale;
  return layout;
}

Located moved(const Located& from, std::int64_t elements) {
  Located to = from;
  to.offset += static_cast<std::size_t>(elements) * byte_size(from.layout.type);
  return to;
}

/// Places `begin` to before `begin + count` along an axis; without the filling.
Located part_of(const Located& whole, std::size_t axis, std::int64_t begin, std::int64_t count) {
  Located part = moved(whole, begin * whole.layout.strides[axis]);
  part.layout.dims[axis] = count;
  if (part.layout.filled_axis == static_cast<int>(axis)) part.layout.filled_axis = -1;
  return part;
}

}  // namespace

/// Another shape over the same bytes, copied in row-major order where strides cannot say it.
Obstacle Compiler::compile_view(const Node& node) {
  const ValueId in = node.inputs[0];
  const ValueId out = node.outputs[0];
  if (in == kNoValue || is_raw(in) != is_raw(out)) return "too many axes";
  if (is_raw(in)) {
    produce(out, locate(in));
    return {};
  }
  Located seen = locate(in);
  auto layout = reshaped(seen.layout, shape_of(out));
  if (!layout) {
    Layout flat = row_major(shape_of(in), type_);
    if (seen.layout.type == ElementType::kInt8) flat = plain_bytes(flat, seen.layout.scale);
    seen = with_layout(in, flat, node.name);
    layout = reshaped(flat, shape_of(out));
  }
  seen.layout = *layout;
  finish_view(node, seen);
  return {};
}

/// A layout is only seen with its axes in another order; who needs them so in memory copies.
Obstacle Compiler::compile_transpose(const Node& node) {
  auto permutation = node.attributes.get_ints("perm");
  const std::size_t rank = shape_of(node.inputs[0]).size();
  if (permutation.empty()) {
    for (std::size_t i = rank; i-- > 0;) permutation.push_back(static_cast<std::int64_t>(i));
  }
  Located seen = locate(node.inputs[0]);
  seen.layout = transposed(seen.layout, permutation);
  finish_view(node, seen);
  return {};
}

Obstacle Compiler::compile_concat(const Node& node) {
  for (const ValueId id : node.inputs) {
    if (is_raw(id)) return "an operand that is empty or not float32";
  }
  const Shape& shape = shape_of(node.outputs[0]);
  const std::size_t axis = normal_axis(node.attributes.get_int("axis", 0), shape.size());
  const bool planes = shape.size() > 2 && locate(node.inputs[0]).layout.strides[1] == 1;
  const Layout otherwise = planes ? channels_last(shape, type_) : row_major(shape, type_);
  const Layout layout =
      node.post_ops.empty() ? stored_layout(node, otherwise) : result_layout(node, otherwise);
  const Located whole = new_result(layout);
  std::int64_t begin = 0;
  for (const ValueId id : node.inputs) {
    const std::int64_t count = shape_of(id)[axis];
    Located part = part_of(whole, axis, begin, count);
    begin += count;
    if (layout.filled_axis == static_cast<int>(axis) && begin == shape[axis]) {
      part.layout.filled_axis = layout.filled_axis;  // The last one fills up.
      part.layout.filled = layout.filled - (begin - count);
    }
    add_copy(node.name, locate(id), part);
  }
  finish(node, whole, 0);
  return {};
}

Obstacle Compiler::compile_split(const Node& node) {
  if (!node.post_ops.empty()) return "a Split with post-ops";
  std::vector<const Value*> inputs;
  for (const ValueId id : node.inputs) {
    inputs.push_back(id == kNoValue ? nullptr : &graph_.value(id));
  }
  const auto types = node.op->infer(node, inputs);
  const Located whole = locate(node.inputs[0]);
  const std::size_t axis =
      normal_axis(node.attributes.get_int("axis", 0), whole.layout.dims.size());
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const std::int64_t count = types[i].shape[axis];
    if (node.outputs[i] != kNoValue) produce(node.outputs[i], part_of(whole, axis, begin, count));
    begin += count;
  }
  return {};
}

Obstacle Compiler::compile_moving(const Node& node) {
  if (node.op->name == "Resize" || node.op->name == "Upsample") {
    if (node.attributes.get_string("mode", "nearest") != "nearest") return "a Resize that blends";
  }
  const auto traced = trace_movement(graph_, node);
  if (!traced) return "operands that are not constant, or a very large one";
  const Shape& shape = shape_of(node.outputs[0]);
  const Located from = locate(node.inputs[0]);
  const std::vector<std::int32_t> offsets = offsets_in(from.layout, traced->sources);
  if (const auto view = as_view(offsets, shape)) {
    Located seen = moved(from, view->start);
    seen.layout = {shape, view->strides, from.layout.type, -1, 0, from.layout.scale};
    finish_view(node, seen);
    return {};
  }
  // As the source lies, so that who takes planes need not copy them.
  const bool planes = shape.size() > 2 && from.layout.dims.size() == shape.size() &&
                      from.layout.strides[1] == 1 && shape[1] > 1;
  const Layout otherwise = planes ? channels_last(shape, type_) : row_major(shape, type_);
  const Located to = new_result(node.post_ops.empty() ? stored_layout(node, otherwise)
                                                      : result_layout(node, otherwise));
  std::vector<std::int32_t> table(to.layout.bytes() / byte_size(to.layout.type), Gather::kNothing);
  operators::for_each_index(shape, [&](const Shape& index, std::size_t flat) {
    table[static_cast<std::size_t>(operators::dot(index, to.layout.strides))] = offsets[flat];
  });
  const Gather gather{to.layout.type,    from.layout.type,         to.layout.scale,
                      from.layout.scale, small(std::ssize(table)), traced->fill};
  const Argument positions{add_weights(std::as_bytes(std::span(table))), 0};
  add_step(node.name, fmt::format("{} hedge:gather", node.op->name), run_gather, gather,
           {argument(to), argument(from), positions});
  finish(node, to, 0);
  return {};
}

}  // namespace hedge::cuda
