// SPDX-License-Identifier: Apache-2.0
// Layers that compute in integers.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "backends/cpu/compiler.h"
#include "backends/cpu/kernels/nhwc/kernels.h"
#include "graph/post_op.h"
#include "graph/quantization.h"
#include "graph/query.h"

namespace hedge::cpu {
namespace {

using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

/// Of the output channels, in the weights.
std::int64_t channel_axis(const Node& node) {
  return is_op(node, "Conv") || node.attributes.get_int("transB", 0) != 0 ? 0 : 1;
}

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

/// Of each output channel, which lie along `axis`: f(weight) summed.
template <class Function>
std::vector<std::int64_t> sums_of_channels(const Tensor& stored, std::int64_t axis,
                                           const Function& f) {
  const Shape& shape = stored.shape();
  std::size_t inner = 1;
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < shape.size(); ++i) {
    inner *= static_cast<std::size_t>(shape[i]);
  }
  const auto channels = static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]);
  std::vector<std::int64_t> sums(channels, 0);
  const auto values = stored.values<std::int8_t>();
  for (std::size_t i = 0; i < values.size(); ++i) sums[i / inner % channels] += f(values[i]);
  return sums;
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
  if (!is_op(node, "Conv") && !is_op(node, "Gemm") && !is_op(node, "MatMul")) return false;
  const auto in_bytes = [&](ValueId id) { return id != kNoValue && quantization_of(id); };
  return in_bytes(node.inputs[0]) && in_bytes(node.inputs[1]) && !is_raw(node.inputs[0]) &&
         !is_raw(node.outputs[0]);
}

/// What integer arithmetic cannot do, whatever the kernel.
Obstacle Compiler::why_not_integer(const Node& node) const {
  const Quantization& weights = *quantization_of(node.inputs[1]);
  const auto& result = quantization_of(node.outputs[0]);
  const bool conv = is_op(node, "Conv");
  const Shape& shape = type_of_value(node.inputs[1]).shape;
  if (!constant_floats(graph_, node.inputs[1])) return "weights that are not constant";
  if (conv && shape.size() != 4) return "a convolution over other than planes (4 axes)";
  if (!conv && shape.size() != 2) return "weights that are no matrix";
  if (node.attributes.get_int("transA", 0) != 0) return "a transposed input";
  if (node.attributes.get_float("alpha", 1) == 0) return "a product times 0";
  if (weights.type != DataType::kInt8 || weights.zero_point != 0) {
    return "weights that are not symmetric int8";
  }
  if (weights.scales.size() > 1 && weights.axis != channel_axis(node)) {
    return "scales of weights that do not run along the output channels";
  }
  if (quantization_of(node.inputs[0])->scales.size() != 1 ||
      (result && result->scales.size() != 1)) {
    return "activations with a scale for each channel";
  }
  if (has_input(node, 2) && !integer_bias(node)) {
    return "a bias that is not one constant number a channel";
  }
  // Stored sources, or those less their zero point, have up to this magnitude.
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() / 255;
  const auto sums =
      sums_of_channels(quantize_tensor(*graph_.value(node.inputs[1]).constant, weights),
                       channel_axis(node), [](std::int64_t w) { return w < 0 ? -w : w; });
  if (std::any_of(sums.begin(), sums.end(), [](std::int64_t sum) { return sum > kMost; })) {
    return "sums that could exceed 32 bits";
  }
  return {};
}

/// In real numbers, one a channel: an input, or what a MatMul adds first.
std::optional<std::vector<float>> Compiler::integer_bias(const Node& node) const {
  const Shape& shape = type_of_value(node.inputs[1]).shape;
  const std::int64_t channels = shape[static_cast<std::size_t>(channel_axis(node))];
  std::optional<std::vector<float>> bias;
  if (is_op(node, "Conv") && has_input(node, 2)) {
    bias = per_channel(graph_, node.inputs[2], 1, 0, channels);
  } else if (is_op(node, "Gemm") && has_input(node, 2)) {
    bias = per_channel(graph_, node.inputs[2], 2, 1, channels);
    for (std::size_t c = 0; bias && c < bias->size(); ++c) {
      (*bias)[c] *= node.attributes.get_float("beta", 1);
    }
  } else if (is_op(node, "MatMul") && !node.post_ops.empty() &&
             node.post_ops[0].kind == PostOp::Kind::kAdd) {
    const std::size_t rank = type_of_value(node.outputs[0]).shape.size();
    bias = per_channel(graph_, node.post_ops[0].operand, rank, rank - 1, channels);
  }
  return bias;
}

/// All but what depends on the kernel. Nothing stands in the way.
Compiler::IntegerLayer Compiler::describe_integer(const Node& node, Fusing fusing) const {
  const Quantization& weights = *quantization_of(node.inputs[1]);
  const auto& result = quantization_of(node.outputs[0]);
  const auto bias = integer_bias(node);
  const std::size_t begin = is_op(node, "MatMul") && bias ? 1 : 0;
  IntegerLayer layer;
  layer.source = *quantization_of(node.inputs[0]);
  layer.weights = quantize_tensor(*graph_.value(node.inputs[1]).constant, weights);
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
  const auto channels = static_cast<std::size_t>(
      type_of_value(node.inputs[1]).shape[static_cast<std::size_t>(channel_axis(node))]);
  if (bias || shift != 0) layer.bias.assign(channels, 0);
  for (std::size_t c = 0; c < channels; ++c) {
    const float real = layer.source.scales[0] * weights.scales[weights.scales.size() > 1 ? c : 0] *
                       node.attributes.get_float("alpha", 1);
    layer.factors.push_back(real * layer.unit);
    if (!layer.bias.empty()) layer.bias[c] = ((bias ? (*bias)[c] : 0) - shift) / real;
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
        chain.append_sum(held.scales[0] * layer.unit, 0, byte_type(held));
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
  if (auto obstacle = why_not_integer(node); !obstacle.empty()) return obstacle;
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
    const auto sums =
        sums_of_channels(layer.weights, transposed ? 0 : 1, [](std::int64_t w) { return w; });
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
