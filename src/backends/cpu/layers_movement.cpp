// SPDX-License-Identifier: Apache-2.0
// Layers that move elements, or only see them otherwise.

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "backends/cpu/compiler.h"
#include "backends/cpu/kernels/copy.h"
#include "graph/movement.h"
#include "graph/operators/common.h"
#include "graph/query.h"

namespace hedge::cpu {
namespace {

using operators::normal_axis;
using Type = dnnl::memory::data_type;

std::size_t element_bytes(const Desc& desc) {
  return dnnl::memory::data_type_size(type_of(desc));
}

/// The trace as a start and a stride for each axis, where it is so regular.
struct Strided {
  std::int64_t start = 0;
  Dims strides;
};
std::optional<Strided> as_strides(const std::vector<std::int32_t>& sources, const Shape& shape) {
  if (shape.empty() || sources[0] < 0) return std::nullopt;
  Strided view{sources[0], Dims(shape.size(), 1)};
  std::vector<std::int64_t> flat(shape.size(), 1);
  for (std::size_t axis = shape.size() - 1; axis-- > 0;) {
    flat[axis] = flat[axis + 1] * shape[axis + 1];
  }
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1) continue;
    view.strides[axis] = sources[static_cast<std::size_t>(flat[axis])] - sources[0];
    if (view.strides[axis] <= 0) return std::nullopt;
  }
  // oneDNN wants each axis to step over all that the faster ones reach.
  std::vector<std::pair<std::int64_t, std::int64_t>> nested;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] != 1) nested.emplace_back(view.strides[axis], shape[axis]);
  }
  std::sort(nested.begin(), nested.end());
  for (std::size_t i = 1; i < nested.size(); ++i) {
    if (nested[i].first < nested[i - 1].first * nested[i - 1].second) return std::nullopt;
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    std::int64_t expected = view.start;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      expected += static_cast<std::int64_t>(i) / flat[axis] % shape[axis] * view.strides[axis];
    }
    if (sources[i] != expected) return std::nullopt;
  }
  return view;
}

}  // namespace

Obstacle Compiler::compile_concat(const Node& node) {
  for (const ValueId id : node.inputs) {
    if (is_raw(id)) return "an operand that is empty or not float32";
  }
  std::vector<Desc> parts;
  std::vector<Argument> arguments;
  const Type type = type_of(locate(node.inputs.at(0)).desc);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    Located part = packed(node.inputs[i], node.name);
    if (type_of(part.desc) != type) {
      part = with_desc(node.inputs[i], row_major(shape_of(node.inputs[i]), type), node.name);
    }
    parts.push_back(part.desc);
    arguments.push_back(argument(DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i), part));
  }
  const std::size_t axis =
      normal_axis(node.attributes.get_int("axis", 0), shape_of(node.outputs[0]).size());
  const AnyPrimitive primitive =
      concat(plan_->engine, static_cast<int>(axis), parts, plain_attributes());
  if (implementation_class(primitive.implementation) == ImplementationClass::kReference) {
    concat_by_reorders(node, axis, type);
    return {};
  }
  const Located dst = new_result(primitive.dst);
  arguments.push_back(argument(DNNL_ARG_DST, dst));
  add_library_step(node, primitive, std::move(arguments), {});
  finish(node, dst, 0);
  return {};
}

/// What oneDNN's own fallback does (parts that end within a block of channels), but without its
/// allocations: each part is reordered to its place in a plain result.
void Compiler::concat_by_reorders(const Node& node, std::size_t axis, Type type) {
  const Desc whole = row_major(shape_of(node.outputs[0]), type);
  const Dims strides = blocking_of(whole)->strides;
  const Located dst = new_result(whole);
  std::int64_t begin = 0;
  for (const ValueId id : node.inputs) {
    const Shape& shape = shape_of(id);
    add_reorder(node.name, packed(id, node.name),
                {Desc(Dims(shape), type, strides), dst.storage,
                 static_cast<std::size_t>(begin * strides[axis]) * element_bytes(whole)});
    begin += shape[axis];
  }
  finish(node, dst, 0);
}

/// A plain layout is only seen with its axes in another order; who needs them so in memory
/// reorders.
Obstacle Compiler::compile_transpose(const Node& node) {
  const Located src = locate(node.inputs[0]);
  auto perm = node.attributes.get_ints("perm");
  const Shape& shape = shape_of(node.outputs[0]);
  if (perm.empty()) {
    for (std::size_t i = shape.size(); i-- > 0;) perm.push_back(static_cast<std::int64_t>(i));
  }
  if (shape.empty()) return compile_view(node);
  // permute_axes wants to know where each axis goes; ONNX says where each comes from.
  std::vector<int> goes_to(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i) {
    goes_to.at(static_cast<std::size_t>(perm[i])) = static_cast<int>(i);
  }
  const Located seen{src.desc.permute_axes(goes_to), src.storage, src.offset};
  const auto layout = blocking_of(src.desc);
  if (layout && layout->inner_axes.empty()) {
    finish_view(node, seen);
    return {};
  }
  const Located dst = new_result(row_major(shape, type_of(src.desc)));
  add_reorder(node.name, seen, dst);
  finish(node, dst, 0);
  return {};
}

/// Another shape over the same bytes, which must lie in row-major order for that.
Obstacle Compiler::compile_view(const Node& node) {
  const ValueId in = node.inputs[0];
  const ValueId out = node.outputs[0];
  const Shape& shape = shape_of(out);
  Located src;
  if (is_raw(in)) {
    src = locate(in);
    if (!is_raw(out)) src.desc = row_major(shape, Type::f32);
  } else if (is_raw(out)) {
    src = row_major_floats(in, node.name);
    src.desc = row_major({static_cast<std::int64_t>(src.desc.get_size())}, Type::u8);
  } else {
    src = row_major_form(in, node.name);
    src.desc = row_major(shape, type_of(src.desc));
  }
  finish_view(node, src);
  return {};
}

/// Post-ops write, and a view may not: others read those bytes.
void Compiler::finish_view(const Node& node, const Located& seen) {
  if (node.post_ops.empty()) return produce(node.outputs[0], seen);
  const Located copy = new_result(row_major(shape_of(node.outputs[0]), type_of(seen.desc)));
  add_reorder(node.name, seen, copy);
  finish(node, copy, 0);
}

/// Some form of the value whose axes have plain strides.
Located Compiler::plain_form(ValueId id, const std::string& why) {
  (void)locate(id);
  for (const Located& form : forms(id)) {
    const auto layout = blocking_of(form.desc);
    if (layout && layout->inner_axes.empty()) return form;
  }
  return row_major_form(id, why);
}

Obstacle Compiler::compile_split(const Node& node) {
  if (!node.post_ops.empty()) return "a Split with post-ops";
  std::vector<const Value*> inputs;
  for (const ValueId id : node.inputs) {
    inputs.push_back(id == kNoValue ? nullptr : &graph_.value(id));
  }
  const auto types = node.op->infer(node, inputs);
  const Shape& shape = shape_of(node.inputs[0]);
  const std::size_t axis = normal_axis(node.attributes.get_int("axis", 0), shape.size());
  const Located src = plain_form(node.inputs[0], node.name);
  const Dims strides = blocking_of(src.desc)->strides;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const Shape& part = types[i].shape;
    if (node.outputs[i] != kNoValue) {
      produce(node.outputs[i], {Desc(Dims(part), type_of(src.desc), strides), src.storage,
                                src.offset + static_cast<std::size_t>(begin * strides[axis]) *
                                                 element_bytes(src.desc)});
    }
    begin += part[axis];
  }
  return {};
}

/// Gather of one known index: a view.
bool Compiler::compile_selection(const Node& node) {
  const Value& index = graph_.value(node.inputs[1]);
  if (!index.constant || !index.type.shape.empty()) return false;
  const Shape& shape = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  const std::size_t axis = normal_axis(node.attributes.get_int("axis", 0), shape.size());
  const std::int64_t given = index.constant->to_int64()[0];
  const std::int64_t at = given < 0 ? given + shape[axis] : given;
  if (out.empty() || at < 0 || at >= shape[axis]) return false;
  const Located src = plain_form(node.inputs[0], node.name);
  Dims strides = blocking_of(src.desc)->strides;
  const std::size_t offset =
      src.offset + static_cast<std::size_t>(at * strides[axis]) * element_bytes(src.desc);
  strides.erase(strides.begin() + static_cast<std::ptrdiff_t>(axis));
  finish_view(node, {Desc(Dims(out), type_of(src.desc), strides), src.storage, offset});
  return true;
}

Obstacle Compiler::compile_moving(const Node& node) {
  if (node.op->name == "Resize" || node.op->name == "Upsample") {
    if (node.attributes.get_string("mode", "nearest") != "nearest") return "a Resize that blends";
  }
  if (is_op(node, "Gather") && compile_selection(node)) return {};
  const auto traced = trace_movement(graph_, node);
  if (!traced) return "operands that are not constant, or a very large one";
  const Shape& shape = shape_of(node.outputs[0]);
  const Located src = row_major_form(node.inputs[0], node.name);
  if (const auto view = as_strides(traced->sources, shape)) {
    finish_view(node,
                {Desc(Dims(shape), type_of(src.desc), view->strides), src.storage,
                 src.offset + static_cast<std::size_t>(view->start) * element_bytes(src.desc)});
    return {};
  }
  const Located floats = row_major_floats(node.inputs[0], node.name);
  const Located dst = new_result(row_major(shape, Type::f32));
  add_own_step(node, fmt::format("{} hedge:mapped_copy", node.op->name),
               {kernels::run_mapped_copy, std::make_shared<const kernels::MappedCopy>(
                                              kernels::mapped_copy(traced->sources, traced->fill))},
               {argument(0, floats), argument(0, dst)});
  finish(node, dst, 0);
  return {};
}

}  // namespace hedge::cpu
