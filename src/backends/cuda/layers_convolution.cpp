// SPDX-License-Identifier: Apache-2.0
// Convolutions.

#include <fmt/format.h>

#include <algorithm>

#include "backends/cuda/compiler.h"
#include "backends/cuda/kernels/planes.h"
#include "backends/cuda/window.h"
#include "graph/post_op.h"
#include "graph/query.h"

namespace hedge::cuda {
namespace {

/// Buffers: x, weights, result, the bias, of integers the factors, then the post-ops' operands, and
/// the sibling's weights, bias and result.
struct ConvolutionStep {
  Convolution shape;
  ElementKind kind = ElementKind::kHalf;
  ConvolutionTactic tactic;
  Epilogue epilogue;
  bool float_rows = false;
  int zero_point = 0;
  int sibling_c = 0;
  std::size_t sibling_at = 0;  ///< Its first buffer.
};
struct GroupedStep {
  GroupedConvolution convolution;
  Epilogue epilogue;
};

cudaError_t run_convolution(const void* parameters, std::byte* const* buffers,
                            const Launch& launch) {
  const auto& step = *static_cast<const ConvolutionStep*>(parameters);
  const bool integers = step.kind == ElementKind::kInt8;
  Sibling sibling;
  if (step.sibling_c > 0) {
    std::byte* const* from = buffers + step.sibling_at;
    sibling = {step.sibling_c, from[0], reinterpret_cast<const float*>(from[1]), from[2]};
  }
  return launch_convolution(
      step.shape, step.kind, step.tactic,
      {buffers[0], buffers[1], bound(step.epilogue, step.float_rows, buffers, integers),
       step.zero_point, sibling},
      launch);
}

cudaError_t run_grouped(const void* parameters, std::byte* const* buffers, const Launch& launch) {
  const auto& step = *static_cast<const GroupedStep*>(parameters);
  const bool integers = step.convolution.type == ElementType::kInt8;
  return launch_grouped(step.convolution, buffers[0], buffers[1],
                        bound(step.epilogue, false, buffers, integers), launch);
}

/// With all that its time depends on.
std::string kind_text(const ConvolutionKind& kind) {
  const Convolution& c = kind.shape;
  const bool leaves = kind.kind == ElementKind::kInt8 && kind.result != ElementType::kInt8;
  return fmt::format(
      "conv {} {}x{}x{}x{} by {}x{}/{}x{} dilated {}x{} pads {},{} to {}x{}x{}{}{}{}",
      name_of(kind.kind), c.batch, c.in_h, c.in_w, c.in_c, c.kernel_h, c.kernel_w, c.stride_h,
      c.stride_w, c.dilation_h, c.dilation_w, c.pad_top, c.pad_left, c.out_h, c.out_w, c.out_c,
      leaves ? " unquantised" : "", kind.adds_tensor ? " + add" : "",
      kind.sibling_c > 0 ? fmt::format(" beside 1x1 to {}", kind.sibling_c) : "");
}

}  // namespace

std::vector<float> by_stored_channels(std::span<const float> weights, const Shape& shape,
                                      const Convolution& c) {
  const std::int64_t window = std::int64_t{c.kernel_h} * c.kernel_w;
  std::vector<float> stored(static_cast<std::size_t>(c.out_c * window * c.in_c), 0.F);
  std::size_t next = 0;
  for (std::int64_t o = 0; o < shape[0]; ++o) {
    for (std::int64_t i = 0; i < shape[1]; ++i) {
      for (std::int64_t tap = 0; tap < window; ++tap) {
        stored[static_cast<std::size_t>((o * window + tap) * c.in_c + i)] = weights[next++];
      }
    }
  }
  return stored;
}

std::vector<float> by_taps(std::span<const float> weights, const Shape& shape, std::int64_t out_c) {
  const std::int64_t window = element_count(shape) / (shape[0] * shape[1]);
  std::vector<float> placed(static_cast<std::size_t>(window * shape[1] * out_c), 0.F);
  std::size_t next = 0;
  for (std::int64_t o = 0; o < shape[0]; ++o) {
    for (std::int64_t i = 0; i < shape[1]; ++i) {
      for (std::int64_t tap = 0; tap < window; ++tap) {
        placed[static_cast<std::size_t>((tap * shape[1] + i) * out_c + o)] = weights[next++];
      }
    }
  }
  return placed;
}

Epilogue bound(Epilogue epilogue, bool float_rows, std::byte* const* buffers, bool integers) {
  epilogue.y = float_rows ? nullptr : buffers[2];
  epilogue.rows = float_rows ? reinterpret_cast<float*>(buffers[2]) : nullptr;
  epilogue.bias = reinterpret_cast<const float*>(buffers[3]);
  std::size_t next = 4;
  if (integers) epilogue.factors = reinterpret_cast<const float*>(buffers[next++]);
  for (int i = 0; i < epilogue.post_op_count; ++i) {
    PostOpParameters& post_op = epilogue.post_ops[i];
    if (post_op.kind == PostOpParameters::Kind::kAddTensor ||
        post_op.kind == PostOpParameters::Kind::kAddChannels) {
      post_op.operand = buffers[next++];
    }
  }
  return epilogue;
}

/// A residual lies as the result does; its bytes are taken where those do.
Layout Compiler::residual_layout(ValueId id, const Layout& result, std::size_t channel_axis,
                                 bool any) const {
  Layout layout = result;
  if (!any) return layout;
  if (const auto scale = scale_of(id)) {
    layout.type = ElementType::kInt8;
    layout.scale = *scale;
    Layout bytes = filled_layout(result.dims, channel_axis, ElementType::kInt8);
    bytes.scale = *scale;
    if (same_layout(layout, bytes)) return layout;
  }
  layout.type = graph_.is_constant(id) ? ElementType::kFloat32 : type_;
  layout.scale = {};
  return layout;
}

bool Compiler::fuses_all(const Node& node, std::size_t channel_axis, std::size_t begin) const {
  const Shape& dims = shape_of(node.outputs[0]);
  return node.post_ops.size() - begin <= kMostPostOps &&
         std::all_of(node.post_ops.begin() + static_cast<std::ptrdiff_t>(begin),
                     node.post_ops.end(), [&](const PostOp& post_op) {
                       return post_op.kind != PostOp::Kind::kAdd ||
                              shape_of(post_op.operand) == dims ||
                              per_channel(graph_, post_op.operand, dims.size(), channel_axis,
                                          dims[channel_axis]);
                     });
}

Compiler::Fused Compiler::fuse(const Node& node, const Layout& result, std::size_t channel_axis,
                               std::size_t begin, bool any) {
  Fused fused{.end = begin, .epilogue = {}, .operands = {}, .text = {}};
  Epilogue& epilogue = fused.epilogue;
  epilogue.used_c = small(result.dims[channel_axis]);
  epilogue.type = result.type;
  epilogue.scale = result.scale;
  const bool bytes = result.type == ElementType::kInt8;
  fused.float_rows =
      !bytes && !same_layout(result, filled_layout(result.dims, channel_axis, type_,
                                                   any ? any_granule() : granule_of(type_)));
  for (; fused.end < node.post_ops.size() && epilogue.post_op_count < kMostPostOps; ++fused.end) {
    const PostOp& post_op = node.post_ops[fused.end];
    PostOpParameters parameters;
    if (post_op.kind != PostOp::Kind::kAdd) {
      parameters = *parameters_of(post_op);
    } else if (const auto channels = per_channel(graph_, post_op.operand, result.dims.size(),
                                                 channel_axis, result.dims[channel_axis])) {
      parameters.kind = PostOpParameters::Kind::kAddChannels;
      fused.operands.push_back(add_floats(*channels));
    } else if (!fused.float_rows && shape_of(post_op.operand) == result.dims) {
      parameters.kind = PostOpParameters::Kind::kAddTensor;
      const Located operand = with_layout(
          post_op.operand, residual_layout(post_op.operand, result, channel_axis, any), node.name);
      parameters.type = operand.layout.type;
      parameters.scale = operand.layout.scale;
      fused.operands.push_back(argument(operand));
    } else {
      break;
    }
    epilogue.post_ops[epilogue.post_op_count++] = parameters;
    fused.text += fmt::format(" + {}", to_string(post_op.kind));
  }
  return fused;
}

/// What a convolution's step reads and writes, but for the operands of post-ops.
std::vector<Argument> Compiler::add_terms(const Terms& terms, const Argument& x,
                                          std::vector<std::byte> weights, const Argument& to,
                                          int out_c) {
  std::vector<float> bias(terms.bias);
  bias.resize(static_cast<std::size_t>(out_c), 0.F);
  std::vector<Argument> arguments{x, {add_weights(weights), 0}, to, add_floats(bias)};
  if (terms.factors.empty()) return arguments;
  std::vector<float> factors(terms.factors);
  factors.resize(static_cast<std::size_t>(out_c), 0.F);
  std::vector<std::int32_t> first(terms.first);
  first.resize(static_cast<std::size_t>(out_c), 0);
  std::vector<std::byte> both = encode(factors, ElementType::kFloat32);
  const auto behind = std::as_bytes(std::span(first));
  both.insert(both.end(), behind.begin(), behind.end());
  arguments.push_back({add_weights(both), 0});
  return arguments;
}

void Compiler::add_convolution(const Node& node, const Convolution& shape, const Terms& terms,
                               const Located& x, const Layout& result, std::size_t channel_axis,
                               std::size_t begin, const std::optional<Shortcut>& shortcut) {
  const ElementKind kind = integers_ ? ElementKind::kInt8 : kind_;
  Fused fused = fuse(node, result, channel_axis, begin, integers_);
  ConvolutionKind described{shape, kind, result.type};
  described.adds_tensor =
      std::any_of(fused.epilogue.post_ops, fused.epilogue.post_ops + fused.epilogue.post_op_count,
                  [](const auto& p) { return p.kind == PostOpParameters::Kind::kAddTensor; });
  if (shortcut) described.sibling_c = plain_convolution(*shortcut->node)->out_c;
  const std::string text = kind_text(described);
  plan_->convolutions[text] = described;
  const auto known = options_.tactics.find(text);
  const ConvolutionTactic tactic =
      choose_tactic(shape, kind, known == options_.tactics.end() ? std::string() : known->second);
  const Located to = new_result(result);
  std::vector<Argument> arguments =
      add_terms(terms, argument(x), pack_weights(terms.weights.data(), shape, kind), argument(to),
                shape.out_c);
  arguments.insert(arguments.end(), fused.operands.begin(), fused.operands.end());
  const std::size_t sibling_at = arguments.size();
  if (shortcut) add_sibling(*shortcut, sibling_shape(shape, described.sibling_c), arguments);
  add_step(node.name,
           fmt::format("{} hedge:tensor_cores{} {}{}{}", node.op->name, integers_ ? "_int8" : "",
                       tactic_text(tactic), fused.text, shortcut ? " beside 1x1" : ""),
           run_convolution,
           ConvolutionStep{shape, kind, tactic, fused.epilogue, fused.float_rows, terms.zero_point,
                           described.sibling_c, sibling_at},
           std::move(arguments));
  finish(node, to, fused.end);
}

Obstacle Compiler::compile_convolution(const Node& node) {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  const auto weights = constant_floats(graph_, node.inputs[1]);
  if (in.size() != 3 && in.size() != 4) return "a convolution over other than rows or planes";
  if (!weights) return "weights that are not constant";
  Terms terms;
  if (has_input(node, 2)) {
    const auto floats = constant_floats(graph_, node.inputs[2]);
    if (!floats) return "a bias that is not constant";
    terms.bias.assign(floats->begin(), floats->end());
  }
  const Shape& w = shape_of(node.inputs[1]);
  const Convolution shape = window_over(node, in, out, Shape(w.begin() + 2, w.end()), type_).shape;
  const Layout result = channels_last(out, type_);
  if (node.attributes.get_int("group", 1) > 1) {
    terms.weights = by_taps(*weights, w, shape.out_c);
    add_groups(node, shape, terms, channels_last_form(node.inputs[0], node.name), result);
    return {};
  }
  if (const Node* shortcut = joins_[number_of(node)]) {
    join(node, *shortcut);
    return {};
  }
  terms.weights.assign(weights->begin(), weights->end());
  const Layout any = any_result(node, 1, 0);
  if (add_stem(node, shape, terms, any.type == ElementType::kInt8 ? any : result)) return {};
  if (add_siblings(node)) return {};
  terms.weights = by_stored_channels(*weights, w, shape);
  add_convolution(node, shape, terms, channels_last_form(node.inputs[0], node.name), result, 1, 0);
  return {};
}

/// Weights by taps.
void Compiler::add_groups(const Node& node, const Convolution& shape, const Terms& terms,
                          const Located& x, const Layout& result) {
  const Shape& w = shape_of(node.inputs[1]);
  const std::int64_t group = node.attributes.get_int("group", 1);
  const Fused fused = fuse(node, result, 1, 0, integers_);
  const Located to = new_result(result);
  std::vector<Argument> arguments = add_terms(
      terms, argument(x), encode(terms.weights, x.layout.type), argument(to), shape.out_c);
  arguments.insert(arguments.end(), fused.operands.begin(), fused.operands.end());
  const GroupedConvolution convolution{shape, x.layout.type, small(w[1]), small(w[0] / group),
                                       terms.zero_point};
  add_step(node.name,
           fmt::format("Conv hedge:{}{}{}", w[1] == 1 && w[0] == group ? "depthwise" : "grouped",
                       integers_ ? "_int8" : "", fused.text),
           run_grouped, GroupedStep{convolution, fused.epilogue}, std::move(arguments));
  finish(node, to, fused.end);
}

}  // namespace hedge::cuda
