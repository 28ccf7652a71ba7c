// SPDX-License-Identifier: Apache-2.0
// One function for each kind of layer: from a node to oneDNN primitives.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "backends/cpu/compiler.h"
#include "graph/passes/edit.h"

namespace hedge::cpu {
namespace {

using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

Desc any_layout(const Shape& shape, Type type) {
  return {Dims(shape), type, Tag::any};
}

Desc row_major(const Shape& shape, Type type) {
  constexpr std::array<Tag, 6> kTags{Tag::a, Tag::ab, Tag::abc, Tag::abcd, Tag::abcde, Tag::abcdef};
  if (shape.empty()) return {Dims{1}, type, Tag::a};
  return {Dims(shape), type, kTags.at(shape.size() - 1)};
}

}  // namespace

std::string convolution_kind(const Graph& graph, const Node& node) {
  const Shape& in = graph.value(node.inputs[0]).type.shape;
  const Shape& w = graph.value(node.inputs[1]).type.shape;
  const auto strides = node.attributes.get_ints("strides", {1, 1});
  const auto group = node.attributes.get_int("group", 1);
  std::string fused;
  for (const PostOp& post_op : node.post_ops) {
    if (post_op.kind == PostOp::Kind::kAdd) fused = " +add";
  }
  return fmt::format("conv {}x{}/{} {}->{} {}x{}{}{}", w[2], w[3], strides[0], in[1], w[0], in[2],
                     in[3], group == 1 ? "" : fmt::format(" groups {}", group), fused);
}

/// Goes through oneDNN's implementations, in its order of preference, notes their names, and takes
/// the one that the tactics name.
dnnl::convolution_forward::primitive_desc Compiler::choose_convolution(
    const Node& node, const Desc& src, const Desc& weights, const Desc& bias, const Desc& dst,
    const Window& window, const dnnl::primitive_attr& attr) {
  const std::string kind = convolution_kind(graph_, node);
  const auto wanted = options_.tactics.find(kind);
  auto& seen = tactics_seen_[kind];
  std::optional<dnnl::convolution_forward::primitive_desc> chosen;
  std::optional<dnnl::convolution_forward::primitive_desc> first;
  const auto visit = [&](const dnnl::convolution_forward::primitive_desc& desc) {
    const std::string implementation = desc.impl_info_str();
    if (std::find(seen.begin(), seen.end(), implementation) == seen.end()) {
      seen.push_back(implementation);
    }
    if (!first) first = desc;
    if (wanted != options_.tactics.end() && wanted->second == implementation) chosen = desc;
    return chosen.has_value() || (wanted == options_.tactics.end() && !options_.list_tactics);
  };
  for (const auto algorithm :
       {dnnl::algorithm::convolution_direct, dnnl::algorithm::convolution_winograd}) {
    try {
      for_each_convolution(plan_->engine, algorithm, src, weights, bias, dst, window, attr, visit);
    } catch (const dnnl::error&) {
      // No Winograd for this layer or in this version of oneDNN.
      if (algorithm == dnnl::algorithm::convolution_direct) throw;
    }
    // Winograd is only looked for where it is named, or where tactics are being listed.
    if (chosen || (wanted == options_.tactics.end() && !options_.list_tactics)) break;
  }
  return chosen ? *chosen : *first;
}

void Compiler::compile_convolution(const Node& node) {
  const Shape& in = graph_.value(node.inputs[0]).type.shape;
  const Shape& out = graph_.value(node.outputs[0]).type.shape;
  Dims w = graph_.value(node.inputs[1]).type.shape;
  const std::int64_t group = node.attributes.get_int("group", 1);
  const Window window = window_of(node, {w[2], w[3]}, in, out);
  if (group > 1) w = {group, w[0] / group, w[1], w[2], w[3]};
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue;

  const Desc bias = has_bias ? Desc({out[1]}, Type::f32, Tag::a) : Desc();
  const PostOps fused = post_ops(node);
  const auto desc = choose_convolution(node, any_layout(in, options_.precision),
                                       any_layout(w, options_.precision), bias,
                                       any_layout(out, options_.precision), window, fused.attr);

  const Located src = with_desc(node.inputs[0], desc.src_desc(), node.name);
  const std::size_t dst = result_storage(node, desc.dst_desc(), fused.residual, src.storage);
  const Desc plain(w, Type::f32, group > 1 ? Tag::goihw : Tag::oihw);
  std::vector<Argument> arguments{{DNNL_ARG_SRC, desc.src_desc(), src.storage},
                                  {DNNL_ARG_WEIGHTS, desc.weights_desc(),
                                   constant_weights(node.inputs[1], plain, desc.weights_desc())},
                                  {DNNL_ARG_DST, desc.dst_desc(), dst}};
  if (has_bias)
    arguments.push_back({DNNL_ARG_BIAS, bias, constant_weights(node.inputs[2], bias, bias)});
  add_step(node,
           {dnnl::convolution_forward(desc), desc.dst_desc(), desc.scratchpad_desc(),
            desc.impl_info_str()},
           std::move(arguments), fused.text);
  produce(node.outputs[0], {desc.dst_desc(), dst});
}

void Compiler::compile_gemm(const Node& node) {
  const Shape& in = graph_.value(node.inputs[0]).type.shape;
  const Shape& out = graph_.value(node.outputs[0]).type.shape;
  const Dims w{out[1], in[1]};
  const bool transposed = node.attributes.get_int("transB", 0) != 0;
  const float alpha = node.attributes.get_float("alpha", 1);
  const float beta = node.attributes.get_float("beta", 1);

  // alpha and beta go into copies of the constants.
  Tensor weights(DataType::kFloat32, graph_.value(node.inputs[1]).type.shape);
  const auto from = graph_.value(node.inputs[1]).constant->values<float>();
  std::transform(from.begin(), from.end(), weights.mutable_values<float>().begin(),
                 [&](float x) { return x * alpha; });
  Tensor bias(DataType::kFloat32, {out[1]});
  if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
    const auto given = per_channel(graph_, node.inputs[2], 2, 1, out[1]);
    std::transform(given->begin(), given->end(), bias.mutable_values<float>().begin(),
                   [&](float x) { return x * beta; });
  }

  const PostOps fused = post_ops(node);
  const Desc bias_desc({out[1]}, Type::f32, Tag::a);
  // Scores leave in fp32 whatever the precision: softmax and decisions need them so.
  const auto desc = inner_product_desc(plan_->engine, any_layout(in, options_.precision),
                                       any_layout(w, options_.precision), bias_desc,
                                       row_major(out, Type::f32), fused.attr);
  const auto reordered = [&](Tensor& tensor, const Desc& plain, const Desc& wanted) {
    dnnl::memory source(plain, plan_->engine, tensor.mutable_values<float>().data());
    dnnl::memory target(wanted, plan_->engine);
    dnnl::reorder(source, target).execute(stream_, source, target);
    stream_.wait();
    return add_weights(std::move(target));
  };
  const Desc plain(w, Type::f32, transposed ? Tag::ab : Tag::ba);
  const Located src = with_desc(node.inputs[0], desc.src_desc(), node.name);
  const std::size_t dst = result_storage(node, desc.dst_desc(), fused.residual, src.storage);
  add_step(node,
           {dnnl::inner_product_forward(desc), desc.dst_desc(), desc.scratchpad_desc(),
            desc.impl_info_str()},
           {{DNNL_ARG_SRC, desc.src_desc(), src.storage},
            {DNNL_ARG_WEIGHTS, desc.weights_desc(), reordered(weights, plain, desc.weights_desc())},
            {DNNL_ARG_BIAS, bias_desc, reordered(bias, bias_desc, bias_desc)},
            {DNNL_ARG_DST, desc.dst_desc(), dst}},
           fused.text);
  produce(node.outputs[0], {desc.dst_desc(), dst});
}

void Compiler::compile_pooling(const Node& node) {
  const Shape& in = graph_.value(node.inputs[0]).type.shape;
  const Shape& out = graph_.value(node.outputs[0]).type.shape;
  const bool global = node.op->name.starts_with("Global");
  const Window window = global ? Window{{in[2], in[3]}, {in[2], in[3]}, {0, 0}, {0, 0}, {0, 0}}
                               : window_of(node, node.attributes.get_ints("kernel_shape"), in, out);
  auto algorithm = dnnl::algorithm::pooling_max;
  if (is_op(node, "AveragePool") || is_op(node, "GlobalAveragePool")) {
    algorithm = node.attributes.get_int("count_include_pad", 0) != 0
                    ? dnnl::algorithm::pooling_avg_include_padding
                    : dnnl::algorithm::pooling_avg_exclude_padding;
  }
  const Located src = locate(node.inputs[0]);
  const PostOps fused = post_ops(node);
  const AnyPrimitive pool = pooling(plan_->engine, algorithm, src.desc,
                                    any_layout(out, type_of(src.desc)), window, fused.attr);
  const Located dst{pool.dst, add_storage(pool.dst.get_size())};
  add_step(node, pool,
           {{DNNL_ARG_SRC, src.desc, src.storage}, {DNNL_ARG_DST, dst.desc, dst.storage}},
           fused.text);
  produce(node.outputs[0], dst);
}

void Compiler::compile_softmax(const Node& node) {
  const Shape& shape = graph_.value(node.inputs[0]).type.shape;
  const Located src = with_desc(node.inputs[0], row_major(shape, Type::f32), node.name);
  std::int64_t axis = node.attributes.get_int("axis", -1);
  if (axis < 0) axis += static_cast<std::int64_t>(shape.size());
  const PostOps fused = post_ops(node);
  const AnyPrimitive primitive =
      softmax(plan_->engine, src.desc, static_cast<int>(axis), fused.attr);
  const Located dst{primitive.dst, add_storage(primitive.dst.get_size())};
  add_step(node, primitive,
           {{DNNL_ARG_SRC, src.desc, src.storage}, {DNNL_ARG_DST, dst.desc, dst.storage}},
           fused.text);
  produce(node.outputs[0], dst);
}

void Compiler::compile_add(const Node& node) {
  const Shape& shape = graph_.value(node.outputs[0]).type.shape;
  const Located a = locate(node.inputs[0]);
  Located b = locate(node.inputs[1]);
  const Shape& b_shape = graph_.value(node.inputs[1]).type.shape;
  if (b_shape == shape) {
    b = with_desc(node.inputs[1], a.desc, node.name);
  } else {  // oneDNN broadcasts extents of 1, but wants as many axes.
    Shape widened(shape.size() - b_shape.size(), 1);
    widened.insert(widened.end(), b_shape.begin(), b_shape.end());
    b = with_desc(node.inputs[1], row_major(b_shape, type_of(b.desc)), node.name);
    b.desc = row_major(widened, type_of(b.desc));
  }
  const PostOps fused = post_ops(node);
  const AnyPrimitive add = binary_add(plan_->engine, a.desc, b.desc, a.desc, fused.attr);
  const Located dst{add.dst, add_storage(add.dst.get_size())};
  add_step(node, add,
           {{DNNL_ARG_SRC_0, a.desc, a.storage},
            {DNNL_ARG_SRC_1, b.desc, b.storage},
            {DNNL_ARG_DST, dst.desc, dst.storage}},
           fused.text);
  produce(node.outputs[0], dst);
}

void Compiler::compile_activation(const Node& node) {
  const Located src = locate(node.inputs[0]);
  const PostOps fused = post_ops(node);
  float low = 0;
  float high = 0;
  auto algorithm = dnnl::algorithm::eltwise_relu;
  if (is_op(node, "Clip")) {
    algorithm = dnnl::algorithm::eltwise_clip;
    low = node.attributes.get_float("min", std::numeric_limits<float>::lowest());
    high = node.attributes.get_float("max", std::numeric_limits<float>::max());
    if (node.inputs.size() > 1 && node.inputs[1] != kNoValue) {
      low = graph_.value(node.inputs[1]).constant->values<float>()[0];
    }
    if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
      high = graph_.value(node.inputs[2]).constant->values<float>()[0];
    }
  }
  const AnyPrimitive primitive = eltwise(plan_->engine, algorithm, src.desc, low, high, fused.attr);
  const Located dst{primitive.dst, add_storage(primitive.dst.get_size())};
  add_step(node, primitive,
           {{DNNL_ARG_SRC, src.desc, src.storage}, {DNNL_ARG_DST, dst.desc, dst.storage}},
           fused.text);
  produce(node.outputs[0], dst);
}

void Compiler::compile_concat(const Node& node) {
  std::vector<Desc> parts;
  std::vector<Argument> arguments;
  const Type type = type_of(locate(node.inputs.at(0)).desc);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    Located part = locate(node.inputs[i]);
    if (type_of(part.desc) != type) {
      part = with_desc(node.inputs[i], row_major(graph_.value(node.inputs[i]).type.shape, type),
                       node.name);
    }
    parts.push_back(part.desc);
    arguments.push_back({DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i), part.desc, part.storage});
  }
  std::int64_t axis = node.attributes.get_int("axis", 0);
  if (axis < 0) axis += static_cast<std::int64_t>(graph_.value(node.outputs[0]).type.shape.size());
  const PostOps fused = post_ops(node);
  const AnyPrimitive primitive = concat(plan_->engine, static_cast<int>(axis), parts, fused.attr);
  const Located dst{primitive.dst, add_storage(primitive.dst.get_size())};
  arguments.push_back({DNNL_ARG_DST, dst.desc, dst.storage});
  add_step(node, primitive, std::move(arguments), fused.text);
  produce(node.outputs[0], dst);
}

void Compiler::compile_transpose(const Node& node) {
  const Located src = locate(node.inputs[0]);
  const auto perm = node.attributes.get_ints("perm");
  // permute_axes wants to know where each axis goes; ONNX says where each comes from.
  std::vector<int> goes_to(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i) {
    goes_to.at(static_cast<std::size_t>(perm[i])) = static_cast<int>(i);
  }
  const Shape& shape = graph_.value(node.outputs[0]).type.shape;
  const Desc wanted = row_major(shape, type_of(src.desc));
  const Located dst{wanted, add_storage(wanted.get_size())};
  add_reorder(node.name, {src.desc.permute_axes(goes_to), src.storage}, dst);
  produce(node.outputs[0], dst);
}

/// Another shape over the same bytes, which must lie in row-major order for that.
void Compiler::compile_view(const Node& node) {
  Located src = locate(node.inputs[0]);
  const Shape& in = graph_.value(node.inputs[0]).type.shape;
  const Shape& out = graph_.value(node.outputs[0]).type.shape;
  if (!is_row_major(src.desc)) {
    src = with_desc(node.inputs[0], row_major(in, type_of(src.desc)), node.name);
  }
  produce(node.outputs[0], {row_major(out, type_of(src.desc)), src.storage});
}

}  // namespace hedge::cpu
