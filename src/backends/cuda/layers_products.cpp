// SPDX-License-Identifier: Apache-2.0
// Convolutions and matrix products. A product by constant weights is a convolution by 1x1 over its
// rows.

#include <fmt/format.h>

#include <algorithm>

#include "backends/cuda/compiler.h"
#include "backends/cuda/kernels/planes.h"
#include "backends/cuda/kernels/product.h"
#include "backends/cuda/window.h"
#include "graph/operators/common.h"
#include "graph/post_op.h"
#include "graph/query.h"

namespace hedge::cuda {
namespace {

/// Buffers: x, weights, result, the bias, then the post-ops' operands and the sibling's weights,
/// bias and result.
struct ConvolutionStep {
  Convolution shape;
  ElementKind kind = ElementKind::kHalf;
  ConvolutionTactic tactic;
  Epilogue epilogue;
  bool float_rows = false;
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
  Sibling sibling;
  if (step.sibling_c > 0) {
    std::byte* const* from = buffers + step.sibling_at;
    sibling = {step.sibling_c, from[0], reinterpret_cast<const float*>(from[1]), from[2]};
  }
  return launch_convolution(
      step.shape, step.kind, step.tactic,
      {buffers[0], buffers[1], bound(step.epilogue, step.float_rows, buffers), sibling}, launch);
}

cudaError_t run_grouped(const void* parameters, std::byte* const* buffers, const Launch& launch) {
  const auto& step = *static_cast<const GroupedStep*>(parameters);
  return launch_grouped(step.convolution, buffers[0], buffers[1],
                        bound(step.epilogue, false, buffers), launch);
}

cudaError_t run_product(const void* parameters, std::byte* const* buffers, const Launch& launch) {
  return launch_product(*static_cast<const Product*>(parameters), buffers[2], buffers[0],
                        buffers[1], launch);
}

std::string kind_text(const Convolution& c, ElementKind kind, bool adds_tensor, int sibling_c) {
  return fmt::format("conv {} {}x{}x{}x{} by {}x{}/{}x{} dilated {}x{} pads {},{} to {}x{}x{}{}{}",
                     kind == ElementKind::kHalf       ? "fp16"
                     : kind == ElementKind::kBfloat16 ? "bf16"
                     : kind == ElementKind::kTf32     ? "tf32"
                                                      : "fp32",
                     c.batch, c.in_h, c.in_w, c.in_c, c.kernel_h, c.kernel_w, c.stride_h,
                     c.stride_w, c.dilation_h, c.dilation_w, c.pad_top, c.pad_left, c.out_h,
                     c.out_w, c.out_c, adds_tensor ? " + add" : "",
                     sibling_c > 0 ? fmt::format(" beside 1x1 to {}", sibling_c) : "");
}

}  // namespace

std::vector<float> Compiler::stored_weights(const Node& conv, const Convolution& c) const {
  const Shape& w = shape_of(conv.inputs[1]);
  const auto weights = *constant_floats(graph_, conv.inputs[1]);
  const std::int64_t window = std::int64_t{c.kernel_h} * c.kernel_w;
  std::vector<float> stored(static_cast<std::size_t>(c.out_c * window * c.in_c), 0.F);
  std::size_t next = 0;
  for (std::int64_t o = 0; o < w[0]; ++o) {
    for (std::int64_t i = 0; i < w[1]; ++i) {
      for (std::int64_t tap = 0; tap < window; ++tap) {
        stored[static_cast<std::size_t>((o * window + tap) * c.in_c + i)] = weights[next++];
      }
    }
  }
  return stored;
}

Epilogue bound(Epilogue epilogue, bool float_rows, std::byte* const* buffers) {
  epilogue.y = float_rows ? nullptr : buffers[2];
  epilogue.rows = float_rows ? reinterpret_cast<float*>(buffers[2]) : nullptr;
  epilogue.bias = reinterpret_cast<const float*>(buffers[3]);
  std::size_t next = 4;
  for (int i = 0; i < epilogue.post_op_count; ++i) {
    PostOpParameters& post_op = epilogue.post_ops[i];
    if (post_op.kind == PostOpParameters::Kind::kAddTensor ||
        post_op.kind == PostOpParameters::Kind::kAddChannels) {
      post_op.operand = buffers[next++];
    }
  }
  return epilogue;
}

Compiler::Fused Compiler::fuse(const Node& node, const Layout& result, std::size_t channel_axis,
                               std::size_t begin) {
  Fused fused{.end = begin, .epilogue = {}, .operands = {}, .text = {}};
  Epilogue& epilogue = fused.epilogue;
  epilogue.used_c = small(result.dims[channel_axis]);
  fused.float_rows = !same_layout(result, filled_layout(result.dims, channel_axis, type_));
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
      fused.operands.push_back(argument(with_layout(post_op.operand, result, node.name)));
    } else {
      break;
    }
    epilogue.post_ops[epilogue.post_op_count++] = parameters;
    fused.text += fmt::format(" + {}", to_string(post_op.kind));
  }
  return fused;
}

void Compiler::add_convolution(const Node& node, const Convolution& shape, const Located& x,
                               const std::vector<float>& weights, const std::vector<float>& bias,
                               const Layout& result, std::size_t channel_axis, std::size_t begin,
                               const std::optional<Shortcut>& shortcut) {
  Fused fused = fuse(node, result, channel_axis, begin);
  const bool adds =
      std::any_of(fused.epilogue.post_ops, fused.epilogue.post_ops + fused.epilogue.post_op_count,
                  [](const auto& p) { return p.kind == PostOpParameters::Kind::kAddTensor; });
  const int sibling_c = shortcut ? plain_convolution(*shortcut->node)->out_c : 0;
  const std::string text = kind_text(shape, options_.kind, adds, sibling_c);
  plan_->convolutions[text] = {shape, adds, sibling_c};
  const auto known = options_.tactics.find(text);
  const ConvolutionTactic tactic = choose_tactic(
      shape, options_.kind, known == options_.tactics.end() ? std::string() : known->second);
  std::vector<float> stored_bias(bias);
  stored_bias.resize(static_cast<std::size_t>(shape.out_c), 0.F);
  const Located to = new_result(result);
  std::vector<Argument> arguments{
      argument(x),
      {add_weights(pack_weights(weights.data(), shape, options_.kind)), 0},
      argument(to),
      add_floats(stored_bias)};
  arguments.insert(arguments.end(), fused.operands.begin(), fused.operands.end());
  const std::size_t sibling_at = arguments.size();
  if (shortcut) add_sibling(*shortcut, sibling_shape(shape, sibling_c), arguments);
  add_step(node.name,
           fmt::format("{} hedge:tensor_cores {}{}{}", node.op->name, tactic_text(tactic),
                       fused.text, shortcut ? " beside 1x1" : ""),
           run_convolution,
           ConvolutionStep{shape, options_.kind, tactic, fused.epilogue, fused.float_rows,
                           sibling_c, sibling_at},
           std::move(arguments));
  finish(node, to, fused.end);
}

Obstacle Compiler::compile_convolution(const Node& node) {
  const Shape& in = shape_of(node.inputs[0]);
  const auto weights = constant_floats(graph_, node.inputs[1]);
  if (in.size() != 3 && in.size() != 4) return "a convolution over other than rows or planes";
  if (!weights) return "weights that are not constant";
  std::vector<float> bias;
  if (has_input(node, 2)) {
    const auto floats = constant_floats(graph_, node.inputs[2]);
    if (!floats) return "a bias that is not constant";
    bias.assign(floats->begin(), floats->end());
  }
  const Shape& w = shape_of(node.inputs[1]);
  const std::int64_t group = node.attributes.get_int("group", 1);
  const Convolution shape =
      window_over(node, in, shape_of(node.outputs[0]), Shape(w.begin() + 2, w.end()), type_).shape;
  if (group > 1) {
    add_grouped_convolution(node, shape, group);
    return {};
  }
  if (const Node* shortcut = joins_[number_of(node)]) {
    join(node, *shortcut);
    return {};
  }
  if (add_stem(node, shape, bias) || add_siblings(node)) return {};
  add_convolution(node, shape, channels_last_form(node.inputs[0], node.name),
                  stored_weights(node, shape), bias,
                  channels_last(shape_of(node.outputs[0]), type_), 1, 0);
  return {};
}

void Compiler::add_grouped_convolution(const Node& node, const Convolution& shape,
                                       std::int64_t group) {
  const Shape& w = shape_of(node.inputs[1]);
  const auto weights = *constant_floats(graph_, node.inputs[1]);
  const std::int64_t window = std::int64_t{shape.kernel_h} * shape.kernel_w;
  std::vector<float> placed(static_cast<std::size_t>(window * w[1] * shape.out_c), 0.F);
  std::size_t next = 0;
  for (std::int64_t o = 0; o < w[0]; ++o) {
    for (std::int64_t i = 0; i < w[1]; ++i) {
      for (std::int64_t tap = 0; tap < window; ++tap) {
        placed[static_cast<std::size_t>((tap * w[1] + i) * shape.out_c + o)] = weights[next++];
      }
    }
  }
  std::vector<float> bias(static_cast<std::size_t>(shape.out_c), 0.F);
  if (has_input(node, 2)) {
    const auto floats = *constant_floats(graph_, node.inputs[2]);
    std::copy(floats.begin(), floats.end(), bias.begin());
  }
  const Located x = channels_last_form(node.inputs[0], node.name);
  const Layout result = channels_last(shape_of(node.outputs[0]), type_);
  const Fused fused = fuse(node, result, 1, 0);
  const Located to = new_result(result);
  std::vector<Argument> arguments{
      argument(x), {add_weights(encode(placed, type_)), 0}, argument(to), add_floats(bias)};
  arguments.insert(arguments.end(), fused.operands.begin(), fused.operands.end());
  const GroupedConvolution convolution{shape, type_, small(w[1]), small(w[0] / group)};
  add_step(node.name,
           fmt::format("Conv hedge:{}{}", w[1] == 1 && w[0] == group ? "depthwise" : "grouped",
                       fused.text),
           run_grouped, GroupedStep{convolution, fused.epilogue}, std::move(arguments));
  finish(node, to, fused.end);
}

/// x * weights * scale + bias, with x as rows of the last axis; post-ops from number `done` on.
void Compiler::add_dense(const Node& node, const Tensor& weights, bool transposed, float scale,
                         std::optional<std::vector<float>> bias, std::size_t done) {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  const std::size_t last = in.size() - 1;
  const std::int64_t granule = granule_of(type_);
  Convolution shape;
  shape.in_w = shape.out_w = small(element_count(in) / in[last]);
  shape.in_c = small((in[last] + granule - 1) / granule * granule);
  shape.out_c = small((out[last] + granule - 1) / granule * granule);
  std::vector<float> stored(static_cast<std::size_t>(shape.out_c) *
                            static_cast<std::size_t>(shape.in_c));
  const auto values = weights.values<float>();
  for (std::int64_t o = 0; o < out[last]; ++o) {
    for (std::int64_t i = 0; i < in[last]; ++i) {
      const std::int64_t from = transposed ? o * in[last] + i : i * out[last] + o;
      stored[static_cast<std::size_t>(o * shape.in_c + i)] =
          scale * values[static_cast<std::size_t>(from)];
    }
  }
  // Scores leave as floats, without filling, where all post-ops are in the kernel.
  const bool all_fused =
      node.post_ops.size() - done <= kMostPostOps &&
      std::all_of(node.post_ops.begin() + static_cast<std::ptrdiff_t>(done), node.post_ops.end(),
                  [](const PostOp& p) { return p.kind != PostOp::Kind::kAdd; });
  const Layout filled = filled_layout(out, last, type_);
  add_convolution(node, shape,
                  with_layout(node.inputs[0], filled_layout(in, last, type_), node.name), stored,
                  bias.value_or(std::vector<float>{}),
                  all_fused ? result_layout(node, filled) : filled, last, done);
}

Obstacle Compiler::compile_gemm(const Node& node) {
  if (!constant_floats(graph_, node.inputs[1]) || node.attributes.get_int("transA", 0) != 0) {
    return compile_product(node);
  }
  std::optional<std::vector<float>> bias;
  if (has_input(node, 2)) {
    bias = per_channel(graph_, node.inputs[2], 2, 1, shape_of(node.outputs[0])[1]);
    if (!bias) return compile_product(node);
    for (float& x : *bias) x *= node.attributes.get_float("beta", 1);
  }
  add_dense(node, *graph_.value(node.inputs[1]).constant, node.attributes.get_int("transB", 0) != 0,
            node.attributes.get_float("alpha", 1), bias, 0);
  return {};
}

Obstacle Compiler::compile_matmul(const Node& node) {
  const Shape& a = shape_of(node.inputs[0]);
  const Shape& b = shape_of(node.inputs[1]);
  if (a.size() < 2 || b.size() != 2 || !constant_floats(graph_, node.inputs[1])) {
    return compile_product(node);
  }
  std::optional<std::vector<float>> bias;
  if (!node.post_ops.empty() && node.post_ops[0].kind == PostOp::Kind::kAdd) {
    bias = per_channel(graph_, node.post_ops[0].operand, a.size(), a.size() - 1, b[1]);
  }
  add_dense(node, *graph_.value(node.inputs[1]).constant, false, 1, bias, bias ? 1 : 0);
  return {};
}

Obstacle Compiler::compile_product(const Node& node) {
  const bool gemm = is_op(node, "Gemm");
  if (is_raw(node.inputs[1])) return "an operand that is not float32";
  if (gemm && (node.attributes.get_float("alpha", 1) != 1 ||
               (has_input(node, 2) && node.attributes.get_float("beta", 1) != 1))) {
    return "alpha or beta, where an operand is not constant";
  }
  if (gemm && has_input(node, 2) && is_raw(node.inputs[2])) return "a bias that is not float32";
  const Located from_a = locate(node.inputs[0]);
  const Located from_b = locate(node.inputs[1]);
  Layout a = from_a.layout;
  Layout b = from_b.layout;
  const auto swap_last = [](Layout& layout) {
    std::swap(layout.dims[layout.dims.size() - 1], layout.dims[layout.dims.size() - 2]);
    std::swap(layout.strides[layout.dims.size() - 1], layout.strides[layout.dims.size() - 2]);
  };
  if (gemm && node.attributes.get_int("transA", 0) != 0) swap_last(a);
  if (gemm && node.attributes.get_int("transB", 0) != 0) swap_last(b);
  if (a.dims.size() == 1) {
    a.dims.insert(a.dims.begin(), 1);
    a.strides.insert(a.strides.begin(), 0);
  }
  if (b.dims.size() == 1) {
    b.dims.push_back(1);
    b.strides.push_back(0);
  }
  const std::size_t rank = std::max(a.dims.size(), b.dims.size());
  if (rank - 2 > kMostStackAxes) return "too many axes";
  const auto stack_shape = [](const Layout& l) { return Shape(l.dims.begin(), l.dims.end() - 2); };
  Shape whole = operators::broadcast(stack_shape(a), stack_shape(b));
  Product product{
      .m = small(a.dims[a.dims.size() - 2]), .n = small(b.dims.back()), .k = small(a.dims.back())};
  product.stack_axes = static_cast<int>(whole.size());
  whole.push_back(product.m);
  whole.push_back(product.n);
  const Shape& out = shape_of(node.outputs[0]);
  const bool fits = node.post_ops.empty() && !(gemm && has_input(node, 2));
  Located to =
      new_result(fits ? result_layout(node, row_major(out, type_)) : row_major(out, type_));
  const Layout c = row_major(whole, to.layout.type);
  const auto matrix = [&](const Layout& layout) {
    Matrix m{.type = layout.type};
    m.row = small(layout.strides[layout.dims.size() - 2]);
    m.column = small(layout.strides.back());
    const std::size_t missing = rank - layout.dims.size();
    for (std::size_t i = 0; i + 2 < layout.dims.size(); ++i) {
      const bool repeats = layout.dims[i] == 1 && whole[i + missing] != 1;
      m.stack[i + missing] = repeats ? 0 : small(layout.strides[i]);
    }
    return m;
  };
  product.a = matrix(a);
  product.b = matrix(b);
  product.c = matrix(c);
  for (std::size_t i = 0; i + 2 < rank; ++i) {
    product.stack_extents[i] = small(whole[i]);
    product.stack *= small(whole[i]);
  }
  if (product.stack > 65535) return "a very large stack";
  add_step(node.name, fmt::format("{} hedge:product", node.op->name), run_product, product,
           {argument(from_a), argument(from_b), argument(to)});
  if (gemm && has_input(node, 2)) {
    const Located bias = locate(node.inputs[2]);
    add_map(node.name, "Add hedge:map", MapOp::kAdd, to, to, &bias);
  }
  finish(node, to, 0);
  return {};
}

}  // namespace hedge::cuda
