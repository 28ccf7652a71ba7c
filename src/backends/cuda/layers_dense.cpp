// SPDX-License-Identifier: Apache-2.0
// Matrix products. One by constant weights is a convolution by 1x1 over its rows.

#include <fmt/format.h>

#include <algorithm>

#include "backends/cuda/compiler.h"
#include "backends/cuda/kernels/product.h"
#include "graph/operators/common.h"
#include "graph/query.h"

namespace hedge::cuda {
namespace {

cudaError_t run_product(const void* parameters, std::byte* const* buffers, const Launch& launch) {
  return launch_product(*static_cast<const Product*>(parameters), buffers[2], buffers[0],
                        buffers[1], launch);
}

}  // namespace

Compiler::Dense Compiler::dense_of(const Node& node, std::span<const float> weights,
                                   bool transposed, float scale, ElementType type,
                                   const Layout& result) const {
  const Shape& in = shape_of(node.inputs[0]);
  const Shape& out = shape_of(node.outputs[0]);
  const std::int64_t granule = granule_of(type);
  const std::size_t last = out.size() - 1;
  Dense dense;
  Convolution& shape = dense.shape;
  shape.in_w = shape.out_w = small(element_count(in) / in.back());
  shape.in_c = small((in.back() + granule - 1) / granule * granule);
  shape.out_c = stored_count(result, last);
  dense.weights.resize(static_cast<std::size_t>(shape.out_c) *
                       static_cast<std::size_t>(shape.in_c));
  for (std::int64_t o = 0; o < out[last]; ++o) {
    for (std::int64_t i = 0; i < in.back(); ++i) {
      const std::int64_t from = transposed ? o * in.back() + i : i * out[last] + o;
      dense.weights[static_cast<std::size_t>(o * shape.in_c + i)] =
          scale * weights[static_cast<std::size_t>(from)];
    }
  }
  return dense;
}

/// Scores leave as floats, without filling, where all post-ops are in the kernel.
Layout Compiler::scores_layout(const Node& node, const Layout& otherwise, std::size_t done) const {
  const bool all_fused =
      node.post_ops.size() - done <= kMostPostOps &&
      std::all_of(node.post_ops.begin() + static_cast<std::ptrdiff_t>(done), node.post_ops.end(),
                  [](const PostOp& p) { return p.kind != PostOp::Kind::kAdd; });
  return all_fused ? result_layout(node, otherwise) : otherwise;
}

/// x * weights * scale + bias, with x as rows of the last axis; post-ops from number `done` on.
void Compiler::add_dense(const Node& node, const Tensor& weights, bool transposed, float scale,
                         std::optional<std::vector<float>> bias, std::size_t done) {
  const Shape& in = shape_of(node.inputs[0]);
  const std::size_t last = in.size() - 1;
  const Layout filled = filled_layout(shape_of(node.outputs[0]), last, type_);
  Dense dense = dense_of(node, weights.values<float>(), transposed, scale, type_, filled);
  Terms terms;
  terms.weights = std::move(dense.weights);
  terms.bias = std::move(bias).value_or(std::vector<float>{});
  add_convolution(node, dense.shape, terms,
                  with_layout(node.inputs[0], filled_layout(in, last, type_), node.name),
                  scores_layout(node, filled, done), last, done);
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
  const Located from_a = locate_floats(node.inputs[0]);
  const Located from_b = locate_floats(node.inputs[1]);
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
