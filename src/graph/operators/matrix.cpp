// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

struct GemmShape {
  std::int64_t m = 0, k = 0, n = 0;
  bool trans_a = false, trans_b = false;
};

GemmShape gemm_shape(const Node& node, const Shape& a, const Shape& b) {
  require(a.size() == 2 && b.size() == 2,
          fmt::format("Gemm of tensors of shape {} and {}", to_string(a), to_string(b)));
  GemmShape s;
  s.trans_a = node.attributes.get_int("transA", 0) != 0;
  s.trans_b = node.attributes.get_int("transB", 0) != 0;
  s.m = a[s.trans_a ? 1 : 0];
  s.k = a[s.trans_a ? 0 : 1];
  s.n = b[s.trans_b ? 0 : 1];
  require(b[s.trans_b ? 1 : 0] == s.k,
          fmt::format("Gemm of {} and {}", to_string(a), to_string(b)));
  return s;
}

void require_floats(Inputs in) {
  for (const Value* value : in) {
    require(value == nullptr || value->type.type == DataType::kFloat32, "only float32");
  }
}

std::vector<TensorType> infer_gemm(const Node& node, Inputs in) {
  require_floats(in);
  const GemmShape s = gemm_shape(node, in[0]->type.shape, in[1]->type.shape);
  const Shape out{s.m, s.n};
  if (has(in, 2))
    require(broadcast(in[2]->type.shape, out) == out, "the bias does not fit the result");
  return {{DataType::kFloat32, out}};
}

std::vector<Tensor> run_gemm(const Node& node, Tensors in) {
  const GemmShape s = gemm_shape(node, in[0].shape(), in[1].shape());
  const double alpha = node.attributes.get_float("alpha", 1);
  const double beta = node.attributes.get_float("beta", 1);
  const auto a = in[0].values<float>();
  const auto b = in[1].values<float>();
  const Shape shape{s.m, s.n};
  Tensor out(DataType::kFloat32, shape);
  const auto y = out.mutable_values<float>();
  for_each_index(shape, [&](const Ints& o, std::size_t flat) {
    double sum = 0;
    for (std::int64_t k = 0; k < s.k; ++k) {
      sum += double{a[static_cast<std::size_t>(s.trans_a ? k * s.m + o[0] : o[0] * s.k + k)]} *
             b[static_cast<std::size_t>(s.trans_b ? o[1] * s.k + k : k * s.n + o[1])];
    }
    sum *= alpha;
    if (has(in, 2)) {
      sum += beta * in[2].values<float>()[dot(o, broadcast_strides(in[2].shape(), shape))];
    }
    y[flat] = static_cast<float>(sum);
  });
  return {out};
}

std::int64_t gemm_macs(const Node& node, Inputs in, const TensorType& output) {
  return bounded_product(element_count(output.shape),
                         gemm_shape(node, in[0]->type.shape, in[1]->type.shape).k);
}

/// numpy.matmul: the last two axes are matrices, those before them are broadcast; a vector is a row
/// on the left, a column on the right, and its axis goes away.
struct MatMulShape {
  Shape a, b;  ///< At least two axes.
  Shape batch;
  Shape full;  ///< batch, m, n
  Shape out;   ///< As the caller sees it.
};

MatMulShape matmul_shape(Shape a, Shape b) {
  require(!a.empty() && !b.empty(), "MatMul of a scalar");
  MatMulShape s;
  const bool row = a.size() == 1;
  const bool column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  require(a.back() == b[b.size() - 2],
          fmt::format("MatMul of {} and {}", to_string(a), to_string(b)));
  s.batch = broadcast(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  s.full = s.batch;
  s.full.push_back(a[a.size() - 2]);
  s.full.push_back(b.back());
  s.out = s.full;
  if (column) s.out.pop_back();
  if (row) s.out.erase(s.out.end() - (column ? 1 : 2));
  (void)element_count(s.full);
  s.a = std::move(a);
  s.b = std::move(b);
  return s;
}

std::vector<TensorType> infer_matmul(const Node& /*node*/, Inputs in) {
  require_floats(in);
  return {{DataType::kFloat32, matmul_shape(in[0]->type.shape, in[1]->type.shape).out}};
}

std::vector<Tensor> run_matmul(const Node& /*node*/, Tensors in) {
  const MatMulShape s = matmul_shape(in[0].shape(), in[1].shape());
  const std::int64_t depth = s.a.back();
  Shape a_out = s.batch;
  a_out.insert(a_out.end(), {s.a[s.a.size() - 2], depth});
  Shape b_out = s.batch;
  b_out.insert(b_out.end(), {depth, s.b.back()});
  const Ints a_strides = broadcast_strides(s.a, a_out);
  const Ints b_strides = broadcast_strides(s.b, b_out);
  const std::size_t rows = s.full.size() - 2;
  const auto a = in[0].values<float>();
  const auto b = in[1].values<float>();
  Tensor out(DataType::kFloat32, s.full);
  const auto y = out.mutable_values<float>();
  for_each_index(s.full, [&](const Ints& o, std::size_t flat) {
    Ints at_a = o;
    Ints at_b = o;
    double sum = 0;
    for (std::int64_t k = 0; k < depth; ++k) {
      at_a[rows + 1] = k;
      at_b[rows] = k;
      sum += double{a[dot(at_a, a_strides)]} * b[dot(at_b, b_strides)];
    }
    y[flat] = static_cast<float>(sum);
  });
  return {out.reshaped(s.out)};
}

std::int64_t matmul_macs(const Node& /*node*/, Inputs in, const TensorType& output) {
  return bounded_product(element_count(output.shape), in[0]->type.shape.back());
}

constexpr std::array kTable{
    Operator{.name = "Gemm",
             .min_inputs = 2,
             .max_inputs = 3,
             .infer = infer_gemm,
             .execute = run_gemm,
             .macs = gemm_macs},
    Operator{.name = "MatMul",
             .min_inputs = 2,
             .max_inputs = 2,
             .infer = infer_matmul,
             .execute = run_matmul,
             .macs = matmul_macs},
};

}  // namespace

std::span<const Operator> matrix_table() {
  return kTable;
}

}  // namespace hedge::operators
