// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

struct Convolution {
  SlidingWindow window;
  std::int64_t group = 1;
  Shape output;
};

/// x: N x C x spatial, w: M x C/group x kernel, b: M (ONNX Conv).
Convolution convolution(const Node& node, const Shape& x, const Shape& w, const Shape* b) {
  require(x.size() >= 3 && w.size() == x.size(),
          fmt::format("input {} and weights {} do not fit", to_string(x), to_string(w)));
  Convolution c;
  c.group = node.attributes.get_int("group", 1);
  require(c.group >= 1 && w[0] % c.group == 0 && x[1] % c.group == 0 && x[1] / c.group == w[1],
          fmt::format("input {}, weights {} and group {} do not fit", to_string(x), to_string(w),
                      c.group));
  require(b == nullptr || (b->size() == 1 && (*b)[0] == w[0]),
          "the bias is not one number a channel");
  const Shape kernel(w.begin() + 2, w.end());
  require(node.attributes.get_ints("kernel_shape", kernel) == kernel,
          "kernel_shape differs from the weights");
  c.window = sliding_window(node, Shape(x.begin() + 2, x.end()), kernel);
  c.output = {x[0], w[0]};
  c.output.insert(c.output.end(), c.window.output.begin(), c.window.output.end());
  return c;
}

std::vector<TensorType> infer_conv(const Node& node, Inputs in) {
  require(in[0]->type.type == DataType::kFloat32 && in[1]->type.type == DataType::kFloat32 &&
              (!has(in, 2) || in[2]->type.type == DataType::kFloat32),
          "only float32");
  return {{DataType::kFloat32, convolution(node, in[0]->type.shape, in[1]->type.shape,
                                           has(in, 2) ? &in[2]->type.shape : nullptr)
                                   .output}};
}

std::vector<Tensor> run_conv(const Node& node, Tensors in) {
  const Convolution c =
      convolution(node, in[0].shape(), in[1].shape(), has(in, 2) ? &in[2].shape() : nullptr);
  const auto x = in[0].values<float>();
  const auto w = in[1].values<float>();
  const Shape& xs = in[0].shape();
  const Shape& ws = in[1].shape();
  const Ints x_strides = strides_of(xs);
  const Ints w_strides = strides_of(ws);
  const Shape kernel_space(ws.begin() + 1, ws.end());  // C/group x kernel
  Tensor out(DataType::kFloat32, c.output);
  const auto y = out.mutable_values<float>();
  for_each_index(c.output, [&](const Ints& o, std::size_t flat) {
    const std::int64_t first_channel = o[1] / (ws[0] / c.group) * ws[1];
    double sum = has(in, 2) ? in[2].values<float>()[static_cast<std::size_t>(o[1])] : 0;
    for_each_index(kernel_space, [&](const Ints& k, std::size_t k_flat) {
      std::int64_t at = o[0] * x_strides[0] + (first_channel + k[0]) * x_strides[1];
      for (std::size_t i = 0; i + 2 < xs.size(); ++i) {
        const std::int64_t p = o[i + 2] * c.window.strides[i] + k[i + 1] * c.window.dilations[i] -
                               c.window.pad_begin[i];
        if (p < 0 || p >= xs[i + 2]) return;
        at += p * x_strides[i + 2];
      }
      sum += double{x[static_cast<std::size_t>(at)]} *
             w[static_cast<std::size_t>(o[1] * w_strides[0]) + k_flat];
    });
    y[flat] = static_cast<float>(sum);
  });
  return {out};
}

std::int64_t conv_macs(const Node& /*node*/, Inputs in, const TensorType& output) {
  const Shape& w = in[1]->type.shape;
  return bounded_product(element_count(output.shape), element_count(Shape(w.begin() + 1, w.end())));
}

constexpr std::array kTable{
    Operator{.name = "Conv",
             .min_inputs = 2,
             .max_inputs = 3,
             .infer = infer_conv,
             .execute = run_conv,
             .macs = conv_macs},
};

}  // namespace

std::span<const Operator> convolution_table() {
  return kTable;
}

}  // namespace hedge::operators
