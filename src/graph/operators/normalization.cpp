// SPDX-License-Identifier: Apache-2.0
// Softmax, batch normalisation and means.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

std::vector<TensorType> infer_softmax(const Node& node, Inputs in) {
  require(in[0]->type.type == DataType::kFloat32, "only float32");
  (void)normal_axis(node.attributes.get_int("axis", -1), in[0]->type.shape.size());
  return {in[0]->type};
}

std::vector<Tensor> run_softmax(const Node& node, Tensors in) {
  const Shape& shape = in[0].shape();
  const std::size_t axis = normal_axis(node.attributes.get_int("axis", -1), shape.size());
  const std::size_t stride = static_cast<std::size_t>(strides_of(shape)[axis]);
  const auto n = static_cast<std::size_t>(shape[axis]);
  const auto x = in[0].values<float>();
  Tensor out(DataType::kFloat32, shape);
  const auto y = out.mutable_values<float>();
  Shape lanes = shape;
  lanes[axis] = 1;
  for_each_index(lanes, [&](const Ints& index, std::size_t) {
    const std::size_t first = dot(index, strides_of(shape));
    if (n == 0) return;
    float largest = x[first];
    for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, x[first + i * stride]);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += std::exp(double{x[first + i * stride]} - largest);
    for (std::size_t i = 0; i < n; ++i) {
      y[first + i * stride] =
          static_cast<float>(std::exp(double{x[first + i * stride]} - largest) / sum);
    }
  });
  return {out};
}

std::vector<TensorType> infer_batch_norm(const Node& node, Inputs in) {
  const Shape& x = in[0]->type.shape;
  require(x.size() >= 2, fmt::format("a tensor of shape {} has no channels", to_string(x)));
  require(node.attributes.get_int("training_mode", 0) == 0, "training_mode");
  for (std::size_t i = 0; i < 5; ++i) {
    require(has(in, i) && in[i]->type.type == DataType::kFloat32, "only float32");
    require(i == 0 || in[i]->type.shape == Shape{x[1]},
            "scale, bias, mean and variance are not one number a channel");
  }
  return {in[0]->type};
}

std::vector<Tensor> run_batch_norm(const Node& node, Tensors in) {
  const double epsilon = node.attributes.get_float("epsilon", 1e-5F);
  const auto x = in[0].values<float>();
  Tensor out(DataType::kFloat32, in[0].shape());
  const auto y = out.mutable_values<float>();
  const auto parameter = [&](std::size_t i, std::size_t c) {
    return double{in[i].values<float>()[c]};
  };
  for_each_index(in[0].shape(), [&](const Ints& index, std::size_t flat) {
    const auto c = static_cast<std::size_t>(index[1]);
    y[flat] = static_cast<float>((x[flat] - parameter(3, c)) /
                                     std::sqrt(parameter(4, c) + epsilon) * parameter(1, c) +
                                 parameter(2, c));
  });
  return {out};
}

struct Reduction {
  std::vector<bool> reduced;
  Shape kept;  ///< With 1 along reduced axes.
  Shape out;
};

/// Axes are an attribute up to opset 17, an input from 18 on. None means all, or none at all where
/// noop_with_empty_axes says so.
template <class In>
Reduction reduction(const Node& node, In in, const Shape& shape) {
  Ints axes = ints_of(node, in, 1, "axes").value_or(Ints{});
  if (axes.empty() && node.attributes.get_int("noop_with_empty_axes", 0) == 0) {
    for (std::size_t i = 0; i < shape.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  Reduction r{std::vector<bool>(shape.size(), false), shape, {}};
  for (const std::size_t axis : normal_axes(axes, shape.size())) {
    r.reduced[axis] = true;
    r.kept[axis] = 1;
  }
  const bool keep = node.attributes.get_int("keepdims", 1) != 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (keep || !r.reduced[i]) r.out.push_back(r.kept[i]);
  }
  return r;
}

std::vector<TensorType> infer_reduce_mean(const Node& node, Inputs in) {
  require(in[0]->type.type == DataType::kFloat32, "only float32");
  return {{DataType::kFloat32, reduction(node, in, in[0]->type.shape).out}};
}

std::vector<Tensor> run_reduce_mean(const Node& node, Tensors in) {
  const Shape& shape = in[0].shape();
  const Reduction r = reduction(node, in, shape);
  const Ints strides = broadcast_strides(r.kept, shape);
  std::vector<double> sums(static_cast<std::size_t>(element_count(r.kept)), 0);
  for_each_index(shape, [&](const Ints& index, std::size_t flat) {
    sums[dot(index, strides)] += in[0].values<float>()[flat];
  });
  const double n =
      sums.empty() ? 1 : static_cast<double>(in[0].size()) / static_cast<double>(sums.size());
  Tensor out(DataType::kFloat32, r.kept);
  std::transform(sums.begin(), sums.end(), out.mutable_values<float>().begin(),
                 [&](double sum) { return static_cast<float>(sum / n); });
  return {out.reshaped(r.out)};
}

constexpr std::array kTable{
    Operator{.name = "Softmax", .infer = infer_softmax, .execute = run_softmax},
    Operator{.name = "BatchNormalization",
             .min_inputs = 5,
             .max_inputs = 5,
             .infer = infer_batch_norm,
             .execute = run_batch_norm},
    Operator{.name = "ReduceMean",
             .max_inputs = 2,
             .infer = infer_reduce_mean,
             .execute = run_reduce_mean},
};

}  // namespace

std::span<const Operator> normalization_table() {
  return kTable;
}

}  // namespace hedge::operators
