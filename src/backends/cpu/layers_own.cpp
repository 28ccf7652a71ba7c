// SPDX-License-Identifier: Apache-2.0
// Layers by our own kernels over NHWC: where oneDNN has but its reference, or where a tactic says
// so.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backends/cpu/compiler.h"
#include "backends/cpu/kernels/nhwc/kernels.h"
#include "graph/post_op.h"
#include "graph/query.h"

namespace hedge::cpu {
namespace {

using Type = dnnl::memory::data_type;

Geometry geometry_of(const Window& window, const Shape& in, const Shape& out) {
  const auto number = [](std::int64_t x) { return static_cast<int>(x); };
  return {.batch = number(in[0]),
          .channels = number(in[1]),
          .in_h = number(in[2]),
          .in_w = number(in[3]),
          .out_h = number(out[2]),
          .out_w = number(out[3]),
          .kernel_h = number(window.kernel[0]),
          .kernel_w = number(window.kernel[1]),
          .stride_h = number(window.strides[0]),
          .stride_w = number(window.strides[1]),
          .dilation_h = number(window.dilations[0] + 1),
          .dilation_w = number(window.dilations[1] + 1),
          .pad_top = number(window.pad_begin[0]),
          .pad_left = number(window.pad_begin[1])};
}

const float* constant_data(const Graph& graph, ValueId id) {
  return graph.value(id).constant->values<float>().data();
}

}  // namespace

bool is_bound(const PostOp& post_op) {
  return post_op.kind == PostOp::Kind::kRelu || post_op.kind == PostOp::Kind::kClip;
}

Bounds narrowed(Bounds bounds, const PostOp& post_op) {
  const bool relu = post_op.kind == PostOp::Kind::kRelu;
  const auto apply = [&](float x) {
    return relu ? std::max(x, 0.F) : std::min(std::max(x, post_op.alpha), post_op.beta);
  };
  return {apply(bounds.low), apply(bounds.high)};
}

Bounds Compiler::bounds_of(const Node& node, const PostOps& fused) {
  Bounds bounds = kUnbounded;
  for (std::size_t i = fused.begin; i < fused.end; ++i) {
    if (is_bound(node.post_ops[i])) bounds = narrowed(bounds, node.post_ops[i]);
  }
  return bounds;
}

const KernelSet& own_set(kernels::Isa isa) {
  const int lanes = isa == kernels::Isa::kAvx512 ? 16 : isa == kernels::Isa::kAvx2 ? 8 : 4;
  const auto& sets = kernel_sets();
  return **std::find_if(sets.begin(), sets.end(),
                        [&](const KernelSet* set) { return set->lanes <= lanes; });
}

/// Empty where no kernel of ours does the layer.
std::string Compiler::own_convolution(const Node& node) const {
  if (precision_ != Type::f32 && !bytes_) return {};
  const Shape& in = shape_of(node.inputs[0]);
  Convolution layer{.groups = static_cast<int>(node.attributes.get_int("group", 1)),
                    .out_channels = static_cast<int>(shape_of(node.inputs[1])[0])};
  layer.geometry.channels = static_cast<int>(in[1]);
  return bytes_ ? integer_convolution_name(layer, own_set()) : convolution_name(layer, own_set());
}

Convolution Compiler::own_convolution_layer(const Node& node) const {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  const Shape& w = shape_of(node.inputs[1]);
  return {.geometry = geometry_of(window_of(node, {w[2], w[3]}, in), in, out),
          .groups = static_cast<int>(node.attributes.get_int("group", 1)),
          .out_channels = static_cast<int>(out[1]),
          .threads = options_.threads};
}

/// Rows of the last axis as pixels.
Convolution Compiler::own_dense_layer(const Node& node) const {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  const std::int64_t rows = element_count(in) / in.back();
  const Window none{{1, 1}, {1, 1}, {0, 0}, {0, 0}, {0, 0}};
  return {.geometry = geometry_of(none, {rows, in.back(), 1, 1}, {rows, out.back(), 1, 1}),
          .out_channels = static_cast<int>(out.back()),
          .threads = options_.threads};
}

void Compiler::add_own_convolution(const Node& node) {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  const bool biased = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
  add_own_product(
      node, own_convolution_layer(node), with_desc(node.inputs[0], nhwc(in, Type::f32), node.name),
      nhwc(out, Type::f32), constant_data(graph_, node.inputs[1]),
      biased ? constant_data(graph_, node.inputs[2]) : nullptr, post_ops(node, Fusing::kOwn));
}

/// Rows of the last axis times weights [out][in].
void Compiler::add_own_dense(const Node& node, const float* weights, const float* bias,
                             std::size_t begin) {
  const Shape& out = shape_of(node.outputs[0]);
  add_own_product(node, own_dense_layer(node), row_major_floats(node.inputs[0], node.name),
                  row_major(out, Type::f32), weights, bias, post_ops(node, Fusing::kOwn, begin));
}

void Compiler::add_own_product(const Node& node, Convolution layer, const Located& src,
                               const Desc& result, const float* weights, const float* bias,
                               const PostOps& fused) {
  layer.bounds = bounds_of(node, fused);
  layer.residual = fused.residual != kNoValue;
  const KernelSet& set = own_set();
  const NamedKernel kernel = make_convolution(layer, set);
  const std::vector<float> packed = pack_weights(layer, set, weights, bias);
  const Desc packed_desc = row_major({std::ssize(packed)}, Type::f32);
  dnnl::memory memory(packed_desc, plan_->engine);
  std::copy(packed.begin(), packed.end(), static_cast<float*>(memory.get_data_handle()));

  Located dst;
  std::vector<Argument> arguments{argument(0, src),
                                  {0, packed_desc, add_weights(std::move(memory))}};
  if (layer.residual) {
    const Located residual = with_desc(fused.residual, result, node.name);
    dst = may_overwrite(residual, result.get_size(), {src.storage})
              ? Located{result, residual.storage}
              : new_result(result);
    arguments.push_back(argument(0, dst));
    arguments.push_back(argument(0, residual));
  } else {
    dst = new_result(result);
    arguments.push_back(argument(0, dst));
  }
  add_own_step(node, fmt::format("{} {}{}", node.op->name, kernel.name, fused.text), kernel.kernel,
               std::move(arguments));
  finish(node, dst, fused.end);
}

void Compiler::add_own_pool(const Node& node, const Window& window) {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  PostOps fused = post_ops(node, Fusing::kOwn);
  if (fused.residual != kNoValue) fused = {};
  PoolPlan plan{.geometry = geometry_of(window, in, out),
                .largest = node.op->name.find("Max") != std::string_view::npos,
                .count_padding = node.attributes.get_int("count_include_pad", 0) != 0,
                .padded_h = static_cast<int>(in[2] + window.pad_begin[0] + window.pad_end[0]),
                .padded_w = static_cast<int>(in[3] + window.pad_begin[1] + window.pad_end[1]),
                .bounds = bounds_of(node, fused)};
  const Located src = with_desc(node.inputs[0], nhwc(in, Type::f32), node.name);
  const Located dst = new_result(nhwc(out, Type::f32));
  const NamedKernel kernel = make_pool(plan, options_.threads, own_set());
  add_own_step(node, fmt::format("{} {}{}", node.op->name, kernel.name, fused.text), kernel.kernel,
               {argument(0, src), argument(0, dst)});
  finish(node, dst, fused.end);
}

void Compiler::add_own_softmax(const Node& node, const Located& src, std::size_t axis) {
  const Shape& shape = shape_of(node.inputs[0]);
  const auto product = [&](std::size_t begin, std::size_t end) {
    return element_count(Shape(shape.begin() + static_cast<std::ptrdiff_t>(begin),
                               shape.begin() + static_cast<std::ptrdiff_t>(end)));
  };
  const Located dst = new_result(src.desc);
  const NamedKernel kernel =
      make_softmax(product(0, axis), shape[axis], product(axis + 1, shape.size()));
  add_own_step(node, fmt::format("{} {}", node.op->name, kernel.name), kernel.kernel,
               {argument(0, src), argument(0, dst)});
  finish(node, dst, 0);
}

/// Whether a kernel of ours has done it.
bool Compiler::add_own_activation(const Node& node, const PostOp& activation, const Located& from,
                                  const Located& to) {
  if (!is_bound(activation) || type_of(from.desc) != Type::f32 || from.desc != to.desc ||
      !is_packed(from.desc)) {
    return false;
  }
  const NamedKernel kernel =
      make_clip(from.desc.get_size() / sizeof(float), narrowed(kUnbounded, activation), own_set());
  add_own_step(node,
               fmt::format("{} {} {}", node.op->name, kernel.name, to_string(activation.kind)),
               kernel.kernel, {argument(0, from), argument(0, to)});
  return true;
}

/// Between layouts of one stride an axis.
bool Compiler::add_own_reorder(const std::string& name, const Located& from, const Located& to) {
  const auto a = blocking_of(from.desc);
  const auto b = blocking_of(to.desc);
  const bool plain = a && b && a->inner_axes.empty() && b->inner_axes.empty() &&
                     type_of(from.desc) == Type::f32 && type_of(to.desc) == Type::f32;
  if (!plain) return false;
  const NamedKernel kernel = make_copy(a->dims, a->strides, b->strides);
  add_step({.name = name,
            .kernel = fmt::format("reorder {}", kernel.name),
            .own = kernel.kernel,
            .arguments = {argument(0, from), argument(0, to)}});
  return true;
}

}  // namespace hedge::cpu
