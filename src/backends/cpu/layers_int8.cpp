// SPDX-License-Identifier: Apache-2.0
// Layers that compute in integers, and the ways into 8 bits and out of them.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "backends/cpu/compiler.h"
#include "backends/cpu/kernels/nhwc/kernels.h"
#include "backends/cpu/kernels/quantize.h"
#include "graph/post_op.h"
#include "graph/quantization.h"
#include "graph/query.h"

namespace hedge::cpu {
namespace {

using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

Type type_of(const Quantization& q) {
  return q.type == DataType::kInt8 ? Type::s8 : Type::u8;
}

bool has_input(const Node& node, std::size_t i) {
  return i < node.inputs.size() && node.inputs[i] != kNoValue;
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

Tensor transposed_matrix(const Tensor& tensor) {
  const Shape& shape = tensor.shape();
  Tensor result(DataType::kInt8, {shape[1], shape[0]});
  const auto from = tensor.values<std::int8_t>();
  const auto to = result.mutable_values<std::int8_t>();
  const auto rows = static_cast<std::size_t>(shape[0]);
  const auto columns = static_cast<std::size_t>(shape[1]);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  }
  return result;
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

/// All that does not depend on the kernel.
Obstacle Compiler::describe_integer(const Node& node, Fusing fusing, IntegerLayer& layer) const {
  const auto& weights = quantization_of(node.inputs[1]);
  const auto& result = quantization_of(node.outputs[0]);
  layer.source = *quantization_of(node.inputs[0]);
  const bool conv = is_op(node, "Conv");
  const Shape& shape = graph_.value(node.inputs[1]).type.shape;
  const std::int64_t axis = conv || node.attributes.get_int("transB", 0) != 0 ? 0 : 1;
  if (!constant_floats(graph_, node.inputs[1])) return "weights that are not constant";
  if (!conv && shape.size() != 2) return "weights that are no matrix";
  if (node.attributes.get_int("transA", 0) != 0) return "a transposed input";
  if (weights->type != DataType::kInt8 || weights->zero_point != 0) {
    return "weights that are not symmetric int8";
  }
  if (weights->scales.size() > 1 && weights->axis != axis) {
    return "scales of weights that do not run along the output channels";
  }
  if (layer.source.scales.size() != 1 || (result && result->scales.size() != 1)) {
    return "activations with a scale for each channel";
  }
  const std::int64_t channels = shape[static_cast<std::size_t>(axis)];
  std::optional<std::vector<float>> bias;
  if (has_input(node, 2)) {
    bias = conv ? per_channel(graph_, node.inputs[2], 1, 0, channels)
                : per_channel(graph_, node.inputs[2], 2, 1, channels);
    if (!bias) return "a bias that is not one constant number a channel";
    for (float& b : *bias) b *= node.attributes.get_float("beta", 1);
  }

  std::size_t begin = 0;
  if (is_op(node, "MatMul") && !node.post_ops.empty() &&
      node.post_ops[0].kind == PostOp::Kind::kAdd) {
    const std::size_t rank = graph_.value(node.outputs[0]).type.shape.size();
    bias = per_channel(graph_, node.post_ops[0].operand, rank, rank - 1, channels);
    begin = bias ? 1 : 0;
  }
  layer.fused = post_ops(node, fusing, begin);
  const ValueId residual = layer.fused.residual;
  const auto* held =
      residual != kNoValue && quantization_of(residual) ? &*quantization_of(residual) : nullptr;
  const bool all = layer.fused.end == node.post_ops.size();
  if (result && all && (residual == kNoValue || held != nullptr)) {
    layer.result = type_of(*result);
    layer.residual_in_bytes = residual != kNoValue;
    if (std::all_of(node.post_ops.begin() + static_cast<std::ptrdiff_t>(begin), node.post_ops.end(),
                    is_homogeneous)) {
      layer.unit = 1 / result->scales[0];
    }
  }
  // A residual's zero point is a constant of the sum, as long as nothing bends in between.
  float shift = 0;
  if (layer.residual_in_bytes && held->zero_point != 0) {
    if (node.post_ops[begin].kind != PostOp::Kind::kAdd) {
      return "a residual with a zero point behind an activation";
    }
    shift = held->scales[0] * static_cast<float>(held->zero_point);
  }
  const float alpha = conv ? 1 : node.attributes.get_float("alpha", 1);
  layer.weights = quantize_tensor(*graph_.value(node.inputs[1]).constant, *weights);
  // Stored sources, or those less their zero point, have up to this magnitude.
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() / 255;
  const auto sums =
      sums_of_channels(layer.weights, axis, [](std::int64_t w) { return w < 0 ? -w : w; });
  if (*std::max_element(sums.begin(), sums.end()) > kMost) {
    return "sums that could exceed 32 bits";
  }
  if (bias || shift != 0) layer.bias.assign(static_cast<std::size_t>(channels), 0);
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    const float scale = weights->scales[weights->scales.size() > 1 ? c : 0];
    const float real = layer.source.scales[0] * scale * alpha;
    layer.factors.push_back(real * layer.unit);
    if (!layer.bias.empty()) layer.bias[c] = ((bias ? (*bias)[c] : 0) - shift) / real;
  }
  return {};
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
        chain.append_sum(held.scales[0] * layer.unit, 0, type_of(held));
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
  if (is_op(node, "Conv") && graph_.value(node.inputs[0]).type.shape.size() != 4) {
    return "a convolution over other than planes (4 axes)";
  }
  IntegerLayer layer;
  if (auto obstacle = describe_integer(node, Fusing::kLibrary, layer); !obstacle.empty()) {
    return obstacle;
  }
  // Instructions for bytes from before VNNI saturate in 16 bits; our own kernels do not.
  if (has_byte_products()) {
    try {
      const bool done = is_op(node, "Conv") ? add_library_integer_convolution(node, layer)
                                            : add_library_integer_product(node, layer);
      if (done) return {};
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented) throw;
    }
  }
  layer = {};
  (void)describe_integer(node, Fusing::kOwn, layer);
  add_own_integer(node, layer);
  return {};
}

/// Whether oneDNN has a fast one, and no tactic prefers our own.
bool Compiler::add_library_integer_convolution(const Node& node, const IntegerLayer& layer) {
  const Shape& in = graph_.value(node.inputs[0]).type.shape;
  const Shape& out = graph_.value(node.outputs[0]).type.shape;
  Dims w = layer.weights.shape();
  const std::int64_t group = node.attributes.get_int("group", 1);
  const Window window = window_of(node, {w[2], w[3]}, in, out);
  if (group > 1) w = {group, w[0] / group, w[1], w[2], w[3]};

  const Scales scales{group > 1 ? Scales::Of::kGroupedConvolution : Scales::Of::kConvolution,
                      layer.factors, layer.source.zero_point};
  dnnl::primitive_attr attributes = attributes_of(node, layer);
  set_scales(attributes, scales);
  const Desc bias = layer.bias.empty() ? Desc() : Desc({out[1]}, Type::f32, Tag::a);
  const Desc result = nhwc(out, layer.result);
  const auto choice = choose_convolution(node, nhwc(in, type_of(layer.source)),
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
  const Shape& in = graph_.value(node.inputs[0]).type.shape;
  const Shape& out = graph_.value(node.outputs[0]).type.shape;
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
  const Desc matrix = row_major({rows, in.back()}, type_of(layer.source));
  const auto desc = inner_product_desc(plan_->engine, matrix, any_layout(w, Type::s8), bias,
                                       row_major({rows, out.back()}, layer.result), attributes);
  if (!is_worth_taking(desc.impl_info_str())) return false;
  Located src = with_desc(node.inputs[0], row_major(in, type_of(layer.source)), node.name);
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

/// By our own kernels, which do every layer that describe_integer lets through.
void Compiler::add_own_integer(const Node& node, const IntegerLayer& layer) {
  const Shape& in = graph_.value(node.inputs[0]).type.shape;
  const Shape& out = graph_.value(node.outputs[0]).type.shape;
  const bool conv = is_op(node, "Conv");
  const bool transposed = conv || node.attributes.get_int("transB", 0) != 0;
  IntegerConvolution own{.layer = conv ? own_convolution_layer(node) : own_dense_layer(node),
                         .source_is_signed = layer.source.type == DataType::kInt8,
                         .source_zero_point = layer.source.zero_point,
                         .result = number_of(layer.result)};
  const Type source_type = type_of(layer.source);
  const Located src = with_desc(
      node.inputs[0], conv ? nhwc(in, source_type) : row_major(in, source_type), node.name);
  const Desc result = conv ? nhwc(out, layer.result) : row_major(out, layer.result);
  set_bounds(node, layer, own);

  bytes_ = layer.result != Type::f32;
  Located residual;
  if (layer.fused.residual != kNoValue) {
    const Type type =
        layer.residual_in_bytes ? type_of(*quantization_of(layer.fused.residual)) : layer.result;
    residual = with_desc(layer.fused.residual, with_type(result, type), node.name);
    own.residual = number_of(type);
  }
  const bool over_residual =
      layer.fused.residual != kNoValue && may_overwrite(residual, result.get_size(), {src.storage});
  const Located dst = over_residual ? Located{result, residual.storage} : new_result(result);
  const KernelSet& set = own_set();
  const NamedKernel kernel = make_integer_convolution(own, set);
  const Tensor weights = transposed ? layer.weights : transposed_matrix(layer.weights);
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
      layer.residual_in_bytes ? type_of(*quantization_of(residual)) : layer.result;
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

// ---- into 8 bits and out of them

/// By its strides; other layouts are reordered to a plain one first.
void Compiler::quantize_form(ValueId id, const Located& floats) {
  const Quantization& q = *quantization_of(id);
  const Shape& shape = graph_.value(id).type.shape;
  const auto plain = [](const Desc& desc) {
    const auto layout = blocking_of(desc);
    return cpu::type_of(desc) == Type::f32 && layout && layout->inner_axes.empty();
  };
  const bool planes = shape.size() == 4;
  Located from = floats;
  if (!plain(from.desc)) {
    from = new_result(planes ? nhwc(shape, Type::f32) : row_major(shape, Type::f32));
    add_reorder(fmt::format("{} (for 8 bits)", graph_.value(id).name), floats, from);
  }
  const Located to = new_result(planes ? nhwc(shape, type_of(q)) : row_major(shape, type_of(q)));
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
  const Shape& shape = graph_.value(id).type.shape;
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
      node.inputs[1], with_type(a.desc, type_of(*quantization_of(node.inputs[1]))), node.name);
  const Quantization* const held[3] = {&*quantization_of(node.inputs[0]),
                                       &*quantization_of(node.inputs[1]),
                                       &*quantization_of(node.outputs[0])};
  const Located dst = new_result(with_type(a.desc, type_of(*held[2])));
  const PostOps fused{0, node.post_ops.size(), kNoValue, {}};
  const Bounds bounds = bounds_of(node, fused);
  kernels::ByteAdd sum{.count = element_count(type_of_value(node.outputs[0]).shape),
                       .low = bounds.low,
                       .high = bounds.high};
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
  const Shape& shape = graph_.value(id).type.shape;
  if (!q || q->scales.size() != 1 || shape.size() != 4 || graph_.is_constant(id)) return false;
  bytes_ = true;
  const Located src = with_desc(id, nhwc(shape, type_of(*q)), node.name);
  const std::int64_t pixels = shape[2] * shape[3];
  const kernels::PlaneMean mean{.batch = shape[0],
                                .pixels = pixels,
                                .channels = shape[1],
                                .factor = q->scales[0] / static_cast<float>(pixels),
                                .zero_points = static_cast<std::int32_t>(q->zero_point * pixels)};
  const Located dst = new_result(nhwc(graph_.value(node.outputs[0]).type.shape, Type::f32));
  add_own_step(node, "GlobalAveragePool hedge:byte_mean",
               {kernels::plane_mean_kernel(q->type == DataType::kInt8, isa_),
                std::make_shared<const kernels::PlaneMean>(mean)},
               {argument(0, src), argument(0, dst)});
  bytes_ = false;
  finish(node, dst, 0);
  return true;
}

}  // namespace hedge::cpu
