// SPDX-License-Identifier: Apache-2.0
// Layers that compute in integers.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backends/cpu/compiler.h"
#include "backends/cpu/kernels/nhwc/kernels.h"
#include "graph/integer_layer.h"
#include "graph/post_op.h"
#include "graph/query.h"

namespace hedge::cpu {
namespace {

using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

/// Activations for which f(a * x) = a * f(x), once their bounds are divided by the scale too.
bool is_homogeneous(const PostOp& post_op) {
  return post_op.kind == PostOp::Kind::kAdd || post_op.kind == PostOp::Kind::kLeakyRelu ||
         is_bound(post_op);
}

Number number_of(Type type) {
  return type == Type::s8 ? Number::kInt8 : type == Type::u8 ? Number::kUInt8 : Number::kFloat;
}

/// Whether oneDNN's is better than ours: what goes over GEMM locks in every call.
bool is_worth_taking(const std::string& implementation) {
  return implementation_class(implementation) == ImplementationClass::kTuned;
}

}  // namespace

dnnl::memory::data_type byte_type(const Quantization& q) {
  return q.type == DataType::kInt8 ? Type::s8 : Type::u8;
}

/// A Conv or a product of matrices in integers: result = f(factor * (sum + bias)) for each output
/// channel, where the sum is of products of stored numbers and f the post-ops.
struct Compiler::IntegerLayer {
  Quantization source;
  Tensor weights;              ///< int8, in the graph's layout.
  std::vector<float> factors;  ///< By output channel.
  std::vector<float> bias;     ///< By output channel; empty: none.
  PostOps fused;
  Type result = Type::f32;  ///< u8 or s8: in units of the result's scale, else real numbers.
  float unit = 1;           ///< What real numbers are multiplied by in the post-ops.
  bool residual_in_bytes = false;
};

bool Compiler::is_integer(const Node& node) const {
  return is_integer_layer(graph_, node) && !is_raw(node.inputs[0]) && !is_raw(node.outputs[0]);
}

/// All but what depends on the kernel. Nothing stands in the way.
Compiler::IntegerLayer Compiler::describe_integer(const Node& node, Fusing fusing) const {
  const auto& result = quantization_of(node.outputs[0]);
  IntegerForm form = integer_form(graph_, node);
  const std::size_t begin = form.done;
  IntegerLayer layer;
  layer.source = std::move(form.source);
  layer.weights = std::move(form.weights);
  layer.fused = post_ops(node, fusing, begin);

  const ValueId residual = layer.fused.residual;
  float shift = 0;
  bool in_bytes = result && layer.fused.end == node.post_ops.size();
  if (in_bytes && residual != kNoValue) {
    const auto& held = quantization_of(residual);
    // A residual's zero point is a constant of the sum, as long as nothing bends in between.
    in_bytes = held && (held->zero_point == 0 || node.post_ops[begin].kind == PostOp::Kind::kAdd);
    layer.residual_in_bytes = in_bytes;
    if (in_bytes) shift = held->scales[0] * static_cast<float>(held->zero_point);
  }
  if (in_bytes) {
    layer.result = byte_type(*result);
    if (std::all_of(node.post_ops.begin() + static_cast<std::ptrdiff_t>(begin), node.post_ops.end(),
                    is_homogeneous)) {
      layer.unit = 1 / result->scales[0];
    }
  }
  if (form.bias || shift != 0) layer.bias.assign(form.scales.size(), 0);
  for (std::size_t c = 0; c < form.scales.size(); ++c) {
    const float real = form.scales[c];
    layer.factors.push_back(real * layer.unit);
    if (!layer.bias.empty()) layer.bias[c] = ((form.bias ? (*form.bias)[c] : 0) - shift) / real;
  }
  return layer;
}

/// Scales of results, then post-ops in their unit. What saturation does anyway is left out.
dnnl::primitive_attr Compiler::attributes_of(const Node& node, const IntegerLayer& layer) const {
  const auto& result = quantization_of(node.outputs[0]);
  const bool bytes = layer.result != Type::f32;
  const auto zero_point = bytes ? static_cast<float>(result->zero_point) : 0;
  dnnl::post_ops chain;
  for (std::size_t i = layer.fused.begin; i < layer.fused.end; ++i) {
    PostOp post_op = node.post_ops[i];
    if (post_op.kind == PostOp::Kind::kAdd) {
      if (layer.residual_in_bytes) {
        const Quantization& held = *quantization_of(post_op.operand);
        append_sum(chain, held.scales[0] * layer.unit, byte_type(held));
      } else {
        chain.append_sum(1.0F);
      }
      continue;
    }
    const bool last = i + 1 == layer.fused.end;
    if (last && post_op.kind == PostOp::Kind::kRelu && layer.result == Type::u8 &&
        zero_point == 0 && layer.unit != 1) {
      continue;
    }
    if (post_op.kind == PostOp::Kind::kClip) {
      post_op.alpha *= layer.unit;
      post_op.beta *= layer.unit;
    }
    for (const Eltwise& part : eltwise_of(post_op)) {
      append_eltwise(chain, part.algorithm, part.alpha, part.beta);
    }
  }
  const float rest = bytes && layer.unit == 1 ? 1 / result->scales[0] : 1;
  if (rest != 1 || zero_point != 0) {
    append_eltwise(chain, dnnl::algorithm::eltwise_linear, rest, zero_point);
  }
  dnnl::primitive_attr attributes = plain_attributes();
  attributes.set_post_ops(chain);
  return attributes;
}

Obstacle Compiler::compile_integer(const Node& node) {
  if (auto obstacle = why_not_integer(graph_, node); !obstacle.empty()) return obstacle;
  // Instructions for bytes from before VNNI saturate in 16 bits; our own kernels do not.
  if (has_byte_products()) {
    try {
      const IntegerLayer layer = describe_integer(node, Fusing::kLibrary);
      const bool done = is_op(node, "Conv") ? add_library_integer_convolution(node, layer)
                                            : add_library_integer_product(node, layer);
      if (done) return {};
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented) throw;
    }
  }
  add_own_integer(node, describe_integer(node, Fusing::kOwn));
  return {};
}

/// Whether oneDNN has a fast one, and no tactic prefers our own.
bool Compiler::add_library_integer_convolution(const Node& node, const IntegerLayer& layer) {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  Dims w = layer.weights.shape();
  const std::int64_t group = node.attributes.get_int("group", 1);
  const Window window = window_of(node, {w[2], w[3]}, in);
  if (group > 1) w = {group, w[0] / group, w[1], w[2], w[3]};

  const Scales scales{group > 1 ? Scales::Of::kGroupedConvolution : Scales::Of::kConvolution,
                      layer.factors, layer.source.zero_point};
  dnnl::primitive_attr attributes = attributes_of(node, layer);
  set_scales(attributes, scales);
  const Desc bias = layer.bias.empty() ? Desc() : Desc({out[1]}, Type::f32, Tag::a);
  const Desc result = nhwc(out, layer.result);
  const auto choice = choose_convolution(node, nhwc(in, byte_type(layer.source)),
                                         any_layout(w, Type::s8), bias, result, window, attributes);
  const auto wanted = options_.tactics.find(convolution_kind(graph_, node));
  const bool own = wanted != options_.tactics.end() && wanted->second == own_convolution(node);
  if (own || !choice || !is_worth_taking(choice->impl_info_str())) return false;
  const Located src = with_desc(node.inputs[0], choice->src_desc(), node.name);
  const Desc plain(w, Type::s8, group > 1 ? Tag::goihw : Tag::oihw);
  std::vector<Argument> arguments{argument(DNNL_ARG_SRC, src),
                                  {DNNL_ARG_WEIGHTS, choice->weights_desc(),
                                   add_weights(layer.weights, plain, choice->weights_desc())}};
  add_integer_step(node, layer, scales,
                   {dnnl::convolution_forward(*choice), choice->dst_desc(),
                    choice->scratchpad_desc(), choice->impl_info_str()},
                   std::move(arguments), result);
  return true;
}

/// x * weights, with x as rows of the last axis. Whether oneDNN has a fast one.
bool Compiler::add_library_integer_product(const Node& node, IntegerLayer layer) {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  const bool transposed = node.attributes.get_int("transB", 0) != 0;
  const std::int64_t rows = element_count(in) / in.back();
  const Dims w{out.back(), in.back()};
  // Nothing is padded, so the zero point of the source is a constant of each sum.
  if (layer.source.zero_point != 0) {
    const auto sums = weight_sums(layer.weights, output_channel_axis(node));
    layer.bias.resize(layer.factors.size(), 0);
    for (std::size_t c = 0; c < sums.size(); ++c) {
      layer.bias[c] -= static_cast<float>(layer.source.zero_point * sums[c]);
    }
  }
  const Scales scales{Scales::Of::kProduct, layer.factors};
  dnnl::primitive_attr attributes = attributes_of(node, layer);
  set_scales(attributes, scales);
  const Desc bias = layer.bias.empty() ? Desc() : Desc({out.back()}, Type::f32, Tag::a);
  const Desc matrix = row_major({rows, in.back()}, byte_type(layer.source));
  const auto desc = inner_product_desc(plan_->engine, matrix, any_layout(w, Type::s8), bias,
                                       row_major({rows, out.back()}, layer.result), attributes);
  if (!is_worth_taking(desc.impl_info_str())) return false;
  Located src = with_desc(node.inputs[0], row_major(in, byte_type(layer.source)), node.name);
  src.desc = matrix;
  const Desc plain(w, Type::s8, transposed ? Tag::ab : Tag::ba);
  std::vector<Argument> arguments{argument(DNNL_ARG_SRC, src),
                                  {DNNL_ARG_WEIGHTS, desc.weights_desc(),
                                   add_weights(layer.weights, plain, desc.weights_desc())}};
  add_integer_step(node, layer, scales,
                   {dnnl::inner_product_forward(desc), desc.dst_desc(), desc.scratchpad_desc(),
                    desc.impl_info_str()},
                   std::move(arguments), row_major(out, layer.result));
  return true;
}

/// By our own kernels, which do every layer that why_not_integer lets through.
void Compiler::add_own_integer(const Node& node, const IntegerLayer& layer) {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  const bool conv = is_op(node, "Conv");
  const bool transposed = conv || node.attributes.get_int("transB", 0) != 0;
  IntegerConvolution own{.layer = conv ? own_convolution_layer(node) : own_dense_layer(node),
                         .source_is_signed = layer.source.type == DataType::kInt8,
                         .source_zero_point = layer.source.zero_point,
                         .result = number_of(layer.result)};
  const Type source_type = byte_type(layer.source);
  const Located src = with_desc(
      node.inputs[0], conv ? nhwc(in, source_type) : row_major(in, source_type), node.name);
  const Desc result = conv ? nhwc(out, layer.result) : row_major(out, layer.result);
  set_bounds(node, layer, own);

  bytes_ = layer.result != Type::f32;
  Located residual;
  if (layer.fused.residual != kNoValue) {
    const Type type =
        layer.residual_in_bytes ? byte_type(*quantization_of(layer.fused.residual)) : layer.result;
    residual = with_desc(layer.fused.residual, with_type(result, type), node.name);
    own.residual = number_of(type);
  }
  const bool over_residual =
      layer.fused.residual != kNoValue && may_overwrite(residual, result.get_size(), {src.storage});
  const Located dst = over_residual ? Located{result, residual.storage} : new_result(result);
  const KernelSet& set = own_set();
  const NamedKernel kernel = make_integer_convolution(own, set);
  const Tensor weights = transposed ? layer.weights : transposed_matrix<std::int8_t>(layer.weights);
  const auto packed = pack_integer_weights(own, set, weights.values<std::int8_t>().data(),
                                           layer.factors, layer.bias);
  const Desc packed_desc = row_major({std::ssize(packed)}, Type::s32);
  dnnl::memory memory(packed_desc, plan_->engine);
  std::copy(packed.begin(), packed.end(), static_cast<std::int32_t*>(memory.get_data_handle()));
  const Desc scratch = row_major({static_cast<std::int64_t>(scratch_bytes(own))}, Type::u8);
  std::vector<Argument> arguments{argument(0, src),
                                  {0, packed_desc, add_weights(std::move(memory))},
                                  argument(0, new_result(scratch)),
                                  argument(0, dst)};
  if (layer.fused.residual != kNoValue) arguments.push_back(argument(0, residual));
  bytes_ = true;
  add_own_step(node, fmt::format("{} {}{}", node.op->name, kernel.name, layer.fused.text),
               kernel.kernel, std::move(arguments));
  bytes_ = layer.result != Type::f32;
  if (bytes_) {
    produce(node.outputs[0], dst);
  } else {
    finish(node, dst, layer.fused.end);
  }
}

/// Bounds, scales and zero point of the result. All are in units of the result.
void Compiler::set_bounds(const Node& node, const IntegerLayer& layer,
                          IntegerConvolution& own) const {
  own.residual_scale =
      layer.residual_in_bytes ? quantization_of(layer.fused.residual)->scales[0] * layer.unit : 1;
  Bounds bounds = bounds_of(node, layer.fused);
  if (layer.result != Type::f32) {
    own.zero_point = quantization_of(node.outputs[0])->zero_point;
    const float lowest = layer.result == Type::s8 ? -128 : 0;
    const auto zero_point = static_cast<float>(own.zero_point);
    const auto clamped = [&](float x) {
      return std::clamp(x * layer.unit, lowest - zero_point, lowest + 255 - zero_point);
    };
    bounds = {clamped(bounds.low), clamped(bounds.high)};
  }
  own.layer.bounds = bounds;
}

/// Adds bias, scales and result (in the layout `result`) to the arguments, source first.
void Compiler::add_integer_step(const Node& node, const IntegerLayer& layer, const Scales& scales,
                                const AnyPrimitive& any, std::vector<Argument> arguments,
                                const Desc& result) {
  const auto add_floats = [&](const std::vector<float>& values) {
    const Tensor tensor = Tensor::from<float>({std::ssize(values)}, std::span(values));
    const Desc desc = row_major(tensor.shape(), Type::f32);
    return Argument{0, desc, add_weights(tensor, desc, desc)};
  };
  if (!layer.bias.empty()) {
    std::vector<float> bias = layer.bias;
    for (std::size_t c = 0; c < bias.size() && !kBiasIsScaled; ++c) bias[c] *= layer.factors[c];
    arguments.push_back(add_floats(bias));
    arguments.back().id = DNNL_ARG_BIAS;
  }
  for (auto& [id, memory] : scale_arguments(plan_->engine, scales)) {
    const Desc desc = memory.get_desc();
    arguments.push_back({id, desc, add_weights(std::move(memory))});
  }
  const bool floats = layer.result == Type::f32;
  bytes_ = !floats;
  const ValueId residual = layer.fused.residual;
  const Type residual_type =
      layer.residual_in_bytes ? byte_type(*quantization_of(residual)) : layer.result;
  const Located dst{result, result_storage(node, with_type(result, residual_type), residual,
                                           {arguments.at(0).storage})};
  arguments.push_back({DNNL_ARG_DST, any.dst, dst.storage});
  bytes_ = true;
  add_library_step(node, any, std::move(arguments), layer.fused.text);
  bytes_ = !floats;
  if (floats) {
    finish(node, dst, layer.fused.end);
  } else {
    produce(node.outputs[0], dst);
  }
}

}  // namespace hedge::cpu
