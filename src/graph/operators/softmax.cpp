// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cmath>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

// The meaning of opset 13 on: along one axis. The importer rewrites older ones.

std::vector<TensorType> infer_softmax(const Node& node, Inputs in) {
  require(in[0]->type.type == DataType::kFloat32, "only float32");
  (void)normal_axis(node.attributes.get_int("axis", -1), in[0]->type.shape.size());
  return {in[0]->type};
}

/// finish(x - largest, sum of their exponentials) for each element of each lane.
template <double (*finish)(double, double)>
std::vector<Tensor> run_softmax(const Node& node, Tensors in) {
  const Shape& shape = in[0].shape();
  const Ints strides = strides_of(shape);
  const std::size_t axis = normal_axis(node.attributes.get_int("axis", -1), shape.size());
  const auto stride = static_cast<std::size_t>(strides[axis]);
  const auto n = static_cast<std::size_t>(shape[axis]);
  const auto x = in[0].values<float>();
  Tensor out(DataType::kFloat32, shape);
  const auto y = out.mutable_values<float>();
  Shape lanes = shape;
  lanes[axis] = 1;
  for_each_index(lanes, [&](const Ints& index, std::size_t) {
    const std::size_t first = dot(index, strides);
    if (n == 0) return;
    double largest = x[first];
    for (std::size_t i = 0; i < n; ++i) largest = std::max<double>(largest, x[first + i * stride]);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += std::exp(x[first + i * stride] - largest);
    for (std::size_t i = 0; i < n; ++i) {
      y[first + i * stride] = static_cast<float>(finish(x[first + i * stride] - largest, sum));
    }
  });
  return {out};
}

double share(double x, double sum) {
  return std::exp(x) / sum;
}
double log_share(double x, double sum) {
  return x - std::log(sum);
}

constexpr std::array kTable{
    Operator{.name = "Softmax", .infer = infer_softmax, .execute = run_softmax<share>},
    Operator{.name = "LogSoftmax", .infer = infer_softmax, .execute = run_softmax<log_share>},
};

}  // namespace

std::span<const Operator> softmax_table() {
  return kTable;
}

}  // namespace hedge::operators
