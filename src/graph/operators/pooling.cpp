// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

SlidingWindow window_over(const Node& node, const Shape& x) {
  require(x.size() >= 3, fmt::format("pooling of a tensor of shape {}", to_string(x)));
  return sliding_window(node, Shape(x.begin() + 2, x.end()),
                        node.attributes.get_ints("kernel_shape"));
}

/// Global pooling is a window as large as the plane.
SlidingWindow whole_plane(const Shape& x) {
  require(x.size() >= 3, fmt::format("pooling of a tensor of shape {}", to_string(x)));
  const Shape spatial(x.begin() + 2, x.end());
  require(element_count(spatial) > 0, "pooling of an empty plane");
  const Ints ones(spatial.size(), 1);
  const Ints zeros(spatial.size(), 0);
  return {spatial, ones, ones, zeros, zeros, ones};
}

std::vector<TensorType> pooled_type(const Value& in, const SlidingWindow& window) {
  require_type(in.type.type, is_number);
  Shape out{in.type.shape[0], in.type.shape[1]};
  out.insert(out.end(), window.output.begin(), window.output.end());
  (void)element_count(out);
  return {{in.type.type, out}};
}

/// Folds `combine` over the elements of each window; `finish` gets the result, the number of
/// elements inside the input, and the number inside input and padding.
template <class T, class Combine, class Finish>
Tensor pool(const Tensor& in, const SlidingWindow& window, double start, Combine combine,
            Finish finish) {
  Shape shape{in.shape()[0], in.shape()[1]};
  shape.insert(shape.end(), window.output.begin(), window.output.end());
  const Ints strides = strides_of(in.shape());
  const auto x = in.values<T>();
  Tensor out(in.type(), shape);
  const auto y = out.mutable_values<T>();
  for_each_index(shape, [&](const Ints& o, std::size_t flat) {
    double value = start;
    std::int64_t inside = 0;
    std::int64_t padded = 0;
    for_each_index(window.kernel, [&](const Ints& k, std::size_t) {
      std::int64_t at = o[0] * strides[0] + o[1] * strides[1];
      bool in_input = true;
      for (std::size_t i = 0; i < k.size(); ++i) {
        const std::int64_t extent = in.shape()[i + 2];
        const std::int64_t p =
            o[i + 2] * window.strides[i] + k[i] * window.dilations[i] - window.pad_begin[i];
        if (p >= extent + window.pad_end[i]) return;  // Beyond the padding: ceil_mode.
        in_input = in_input && p >= 0 && p < extent;
        at += p * strides[i + 2];
      }
      ++padded;
      if (!in_input) return;
      ++inside;
      value = combine(value, static_cast<double>(x[static_cast<std::size_t>(at)]));
    });
    y[flat] = convert<T>(finish(value, inside, padded));
  });
  return out;
}

Tensor max_over(const Tensor& in, const SlidingWindow& window) {
  return with_number(in.type(), [&](auto zero) {
    return pool<decltype(zero)>(
        in, window, -std::numeric_limits<double>::infinity(),
        [](double a, double b) { return std::max(a, b); },
        [](double value, std::int64_t, std::int64_t) { return value; });
  });
}

Tensor mean_over(const Tensor& in, const SlidingWindow& window, bool count_padding) {
  return pool<float>(
      in, window, 0, [](double a, double b) { return a + b; },
      [&](double sum, std::int64_t inside, std::int64_t padded) {
        const std::int64_t n = count_padding ? padded : inside;
        return n == 0 ? 0 : sum / static_cast<double>(n);
      });
}

std::vector<TensorType> infer_max_pool(const Node& node, Inputs in) {
  require(node.outputs.size() < 2 || node.outputs[1] == kNoValue,
          "the second output, Indices, is not supported");
  return pooled_type(*in[0], window_over(node, in[0]->type.shape));
}
std::vector<TensorType> infer_global_max(const Node& /*node*/, Inputs in) {
  return pooled_type(*in[0], whole_plane(in[0]->type.shape));
}
std::vector<TensorType> infer_average_pool(const Node& node, Inputs in) {
  require(in[0]->type.type == DataType::kFloat32, "only float32");
  return pooled_type(*in[0], window_over(node, in[0]->type.shape));
}
std::vector<TensorType> infer_global_average(const Node& /*node*/, Inputs in) {
  require(in[0]->type.type == DataType::kFloat32, "only float32");
  return pooled_type(*in[0], whole_plane(in[0]->type.shape));
}
std::vector<Tensor> run_max_pool(const Node& node, Tensors in) {
  return {max_over(in[0], window_over(node, in[0].shape()))};
}
std::vector<Tensor> run_average_pool(const Node& node, Tensors in) {
  return {mean_over(in[0], window_over(node, in[0].shape()),
                    node.attributes.get_int("count_include_pad", 0) != 0)};
}
std::vector<Tensor> run_global_max(const Node& /*node*/, Tensors in) {
  return {max_over(in[0], whole_plane(in[0].shape()))};
}
std::vector<Tensor> run_global_average(const Node& /*node*/, Tensors in) {
  return {mean_over(in[0], whole_plane(in[0].shape()), false)};
}

/// Each window is gone through, also where it lies in the padding.
std::int64_t pool_steps(const Node& node, Inputs /*in*/, const TensorType& output) {
  std::int64_t steps = element_count(output.shape);
  for (const std::int64_t k : node.attributes.get_ints("kernel_shape")) {
    steps = bounded_product(steps, k);
  }
  return steps;
}

constexpr std::array kTable{
    Operator{
        .name = "MaxPool", .infer = infer_max_pool, .execute = run_max_pool, .steps = pool_steps},
    Operator{.name = "AveragePool",
             .infer = infer_average_pool,
             .execute = run_average_pool,
             .steps = pool_steps},
    Operator{.name = "GlobalMaxPool", .infer = infer_global_max, .execute = run_global_max},
    Operator{
        .name = "GlobalAveragePool", .infer = infer_global_average, .execute = run_global_average},
};

}  // namespace

std::span<const Operator> pooling_table() {
  return kTable;
}

}  // namespace hedge::operators
