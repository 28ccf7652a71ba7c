// SPDX-License-Identifier: Apache-2.0
// Convolutions and products of matrices.

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "backends/cpu/compiler.h"
#include "graph/query.h"

namespace hedge::cpu {
namespace {

using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

/// A constant times a factor.
Tensor scaled(const Tensor& tensor, float factor) {
  if (factor == 1) return tensor;
  Tensor copy(DataType::kFloat32, tensor.shape());
  const auto from = tensor.values<float>();
  std::transform(from.begin(), from.end(), copy.mutable_values<float>().begin(),
                 [&](float x) { return x * factor; });
  return copy;
}

}  // namespace

/// Goes through oneDNN's implementations, in its order of preference, notes their names, and takes
/// the one that the tactics name.
std::optional<dnnl::convolution_forward::primitive_desc> Compiler::choose_convolution(
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
    } catch (const dnnl::error& error) {
      // No Winograd for this layer or in this version of oneDNN.
      if (error.status != dnnl_unimplemented && algorithm == dnnl::algorithm::convolution_direct) {
        throw;
      }
    }
    // Winograd is only looked for where it is named, or where tactics are being listed.
    if (chosen || (wanted == options_.tactics.end() && !options_.list_tactics)) break;
  }
  const std::string own = own_convolution(node);
  if (!own.empty() && std::find(seen.begin(), seen.end(), own) == seen.end()) {
    const bool best = seen.empty() || is_slow(seen.front());
    seen.insert(best ? seen.begin() : seen.end(), own);
  }
  return chosen ? chosen : first;
}

Obstacle Compiler::compile_convolution(const Node& node) {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  if (in.size() != 4) return "a convolution over other than planes (4 axes)";
  if (!constant_floats(graph_, node.inputs[1])) return "weights that are not constant";
  const bool has_bias = has_input(node, 2);
  if (has_bias && !constant_floats(graph_, node.inputs[2])) return "a bias that is not constant";

  Dims w = shape_of(node.inputs[1]);
  const std::int64_t group = node.attributes.get_int("group", 1);
  const Window window = window_of(node, {w[2], w[3]}, in);
  if (group > 1) w = {group, w[0] / group, w[1], w[2], w[3]};

  const std::string own = own_convolution(node);
  const auto wanted = options_.tactics.find(convolution_kind(graph_, node));
  if (!own.empty() && wanted != options_.tactics.end() && wanted->second == own) {
    add_own_convolution(node);
    return {};
  }
  const Desc bias = has_bias ? Desc({out[1]}, Type::f32, Tag::a) : Desc();
  const PostOps fused = post_ops(node, Fusing::kLibrary);
  const auto choice =
      choose_convolution(node, any_layout(in, precision_), any_layout(w, precision_), bias,
                         any_layout(out, precision_), window, attributes_of(node, fused));
  if (!own.empty() && (!choice || is_slow(choice->impl_info_str()))) {
    add_own_convolution(node);
    return {};
  }
  if (!choice) return fmt::format("oneDNN {} has no kernel for it", library_version());
  const auto& desc = *choice;

  const Located src = with_desc(node.inputs[0], desc.src_desc(), node.name);
  const std::size_t dst = result_storage(node, desc.dst_desc(), fused.residual, {src.storage});
  const Desc plain(w, Type::f32, group > 1 ? Tag::goihw : Tag::oihw);
  const auto weights =
      add_weights(*graph_.value(node.inputs[1]).constant, plain, desc.weights_desc());
  std::vector<Argument> arguments{argument(DNNL_ARG_SRC, src),
                                  {DNNL_ARG_WEIGHTS, desc.weights_desc(), weights},
                                  {DNNL_ARG_DST, desc.dst_desc(), dst}};
  if (has_bias) {
    const Tensor& tensor = *graph_.value(node.inputs[2]).constant;
    arguments.push_back({DNNL_ARG_BIAS, bias, add_weights(tensor, bias, bias)});
  }
  add_library_step(node,
                   {dnnl::convolution_forward(desc), desc.dst_desc(), desc.scratchpad_desc(),
                    desc.impl_info_str()},
                   std::move(arguments), fused.text);
  finish(node, {desc.dst_desc(), dst}, fused.end);
  return {};
}

/// x * weights + bias, with x as rows of the last axis.
void Compiler::add_product(const Node& node, const Tensor& weights, bool transposed,
                           const Tensor& bias, Type result_type, const PostOps& fused) {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  const std::int64_t rows = element_count(in) / in.back();
  const Dims w{out.back(), in.back()};
  const Desc bias_desc = bias ? Desc({out.back()}, Type::f32, Tag::a) : Desc();
  const Shape matrix{rows, in.back()};
  const bool is_matrix = in.size() == 2;
  const auto desc = inner_product_desc(
      plan_->engine, is_matrix ? any_layout(matrix, precision_) : row_major(matrix, precision_),
      any_layout(w, precision_), bias_desc, row_major({rows, out.back()}, result_type),
      attributes_of(node, fused));
  if (precision_ == Type::f32 && is_slow(desc.impl_info_str())) {
    const Tensor rows_of_inputs = transposed ? weights : transposed_matrix<float>(weights);
    return add_own_dense(node, rows_of_inputs.values<float>().data(),
                         bias ? bias.values<float>().data() : nullptr, fused.begin);
  }
  Located src = is_matrix ? with_desc(node.inputs[0], desc.src_desc(), node.name)
                          : with_desc(node.inputs[0], row_major(in, precision_), node.name);
  src.desc = desc.src_desc();
  const Desc result = row_major(out, result_type);
  const std::size_t dst = result_storage(node, result, fused.residual, {src.storage});
  const Desc plain(w, Type::f32, transposed ? Tag::ab : Tag::ba);
  std::vector<Argument> arguments{
      argument(DNNL_ARG_SRC, src),
      {DNNL_ARG_WEIGHTS, desc.weights_desc(), add_weights(weights, plain, desc.weights_desc())},
      {DNNL_ARG_DST, desc.dst_desc(), dst}};
  if (bias) {
    arguments.push_back({DNNL_ARG_BIAS, bias_desc, add_weights(bias, bias_desc, bias_desc)});
  }
  add_library_step(node,
                   {dnnl::inner_product_forward(desc), desc.dst_desc(), desc.scratchpad_desc(),
                    desc.impl_info_str()},
                   std::move(arguments), fused.text);
  finish(node, {result, dst}, fused.end);
}

Obstacle Compiler::compile_gemm(const Node& node) {
  const Shape& out = shape_of(node.outputs[0]);
  if (!constant_floats(graph_, node.inputs[1]) || node.attributes.get_int("transA", 0) != 0) {
    return compile_matmul(node);
  }
  Tensor bias;
  if (has_input(node, 2)) {
    const auto given = per_channel(graph_, node.inputs[2], 2, 1, out[1]);
    if (!given) return compile_matmul(node);
    bias = scaled(Tensor::from<float>({out[1]}, std::span(*given)),
                  node.attributes.get_float("beta", 1));
  }
  // Scores leave in fp32 whatever the precision: softmax and decisions need them so.
  add_product(
      node, scaled(*graph_.value(node.inputs[1]).constant, node.attributes.get_float("alpha", 1)),
      node.attributes.get_int("transB", 0) != 0, bias, Type::f32, post_ops(node, Fusing::kLibrary));
  return {};
}

/// One side of a product: a row-major matrix or a stack of them, transposed where `transposed`.
Desc Compiler::matrix_desc(Shape shape, bool transposed) const {
  Desc plain = row_major(shape, precision_);
  if (!transposed) return plain;
  std::vector<int> order;
  for (int i = 0; i < static_cast<int>(shape.size()); ++i) order.push_back(i);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return plain.permute_axes(order);
}

Obstacle Compiler::compile_matmul(const Node& node) {
  const bool gemm = is_op(node, "Gemm");
  Shape a = shape_of(node.inputs[0]);
  Shape b = shape_of(node.inputs[1]);
  if (is_raw(node.inputs[1])) return "an operand that is not float32";
  const std::int64_t columns =
      shape_of(node.outputs[0]).empty() ? 1 : shape_of(node.outputs[0]).back();
  if (!gemm && a.size() > 1 && b.size() == 2 && constant_floats(graph_, node.inputs[1])) {
    Tensor bias;
    if (!node.post_ops.empty() && node.post_ops[0].kind == PostOp::Kind::kAdd) {
      const auto given =
          per_channel(graph_, node.post_ops[0].operand, a.size(), a.size() - 1, columns);
      if (given) bias = Tensor::from<float>({columns}, std::span(*given));
    }
    add_product(node, *graph_.value(node.inputs[1]).constant, false, bias, precision_,
                post_ops(node, Fusing::kLibrary, bias ? 1 : 0));
    return {};
  }
  if (gemm && (node.attributes.get_float("alpha", 1) != 1 ||
               (has_input(node, 2) && node.attributes.get_float("beta", 1) != 1))) {
    return "alpha or beta, where an operand is not constant";
  }
  if (gemm && has_input(node, 2) && is_raw(node.inputs[2])) return "a bias that is not float32";
  return compile_batched_product(node, std::move(a), std::move(b));
}

Obstacle Compiler::compile_batched_product(const Node& node, Shape a, Shape b) {
  const Located from_a = with_desc(node.inputs[0], row_major(a, precision_), node.name);
  const Located from_b = with_desc(node.inputs[1], row_major(b, precision_), node.name);
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  // As many axes on both sides; stacks of equally many matrices as one axis.
  if (a.size() == b.size() && std::equal(a.begin(), a.end() - 2, b.begin())) {
    const std::int64_t batch = element_count(Shape(a.begin(), a.end() - 2));
    a.erase(a.begin(), a.end() - 2);
    b.erase(b.begin(), b.end() - 2);
    a.insert(a.begin(), batch);
    b.insert(b.begin(), batch);
  }
  while (a.size() < b.size()) a.insert(a.begin(), 1);
  while (b.size() < a.size()) b.insert(b.begin(), 1);
  const Desc a_desc = matrix_desc(a, node.attributes.get_int("transA", 0) != 0);
  const Desc b_desc = matrix_desc(b, node.attributes.get_int("transB", 0) != 0);
  Shape out = dims_of(a_desc);
  for (std::size_t i = 0; i + 2 < out.size(); ++i) out[i] = std::max(out[i], b[i]);
  out.back() = dims_of(b_desc).back();

  const Desc dst_desc = row_major(out, precision_);
  const bool biased = is_op(node, "Gemm") && has_input(node, 2);
  const PostOps fused = biased ? PostOps{} : post_ops(node, Fusing::kLibrary);
  const AnyPrimitive product =
      matmul(plan_->engine, a_desc, b_desc, Desc(), dst_desc, attributes_of(node, fused));
  const Shape& shape = shape_of(node.outputs[0]);
  Located dst{row_major(shape, precision_), 0};
  dst.storage = result_storage(node, dst.desc, fused.residual, {from_a.storage, from_b.storage});
  add_library_step(node, product,
                   {{DNNL_ARG_SRC, a_desc, from_a.storage, from_a.offset},
                    {DNNL_ARG_WEIGHTS, b_desc, from_b.storage, from_b.offset},
                    {DNNL_ARG_DST, dst_desc, dst.storage}},
                   fused.text);
  if (biased) {
    dst = add_binary(node, dnnl::algorithm::binary_add, kernels::BinaryOp::kAdd,
                     {dst, shape, kNoValue},
                     {packed(node.inputs[2], node.name), shape_of(node.inputs[2]), node.inputs[2]},
                     shape, PostOps{});
  }
  finish(node, dst, fused.end);
  return {};
}

}  // namespace hedge::cpu
