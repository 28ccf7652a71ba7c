// SPDX-License-Identifier: Apache-2.0
// Layers that compute in integers: products of bytes, sums in 32 bits, scales and all that follows
// in float32.

#include <algorithm>

#include "backends/cuda/compiler.h"
#include "backends/cuda/window.h"
#include "graph/integer_layer.h"
#include "graph/query.h"

namespace hedge::cuda {
namespace {

std::vector<float> as_floats(const Tensor& stored) {
  const auto values = stored.values<std::int8_t>();
  return {values.begin(), values.end()};
}

}  // namespace

Scale stored_scale(const Quantization& q) {
  // Of uint8 both the number and the zero point lie 128 lower.
  const int shift = q.type == DataType::kUInt8 ? 128 : 0;
  return {q.scales.at(0), q.zero_point - shift};
}

bool Compiler::is_integer(const Node& node) const {
  return is_integer_layer(graph_, node) && !is_raw(node.inputs[0]) && !is_raw(node.outputs[0]);
}

Layout Compiler::any_result(const Node& node, std::size_t channel_axis, std::size_t done) const {
  const Shape& dims = shape_of(node.outputs[0]);
  const auto scale = scale_of(node.outputs[0]);
  if (!scale || !fuses_all(node, channel_axis, done)) {
    return filled_layout(dims, channel_axis, type_, any_granule());
  }
  Layout bytes = filled_layout(dims, channel_axis, ElementType::kInt8);
  bytes.scale = *scale;
  return bytes;
}

Obstacle Compiler::compile_integer(const Node& node) {
  if (auto obstacle = why_not_integer(graph_, node); !obstacle.empty()) return obstacle;
  const IntegerForm form = integer_form(graph_, node);
  Terms terms{.factors = form.scales, .zero_point = stored_scale(form.source).zero_point};
  // The sums are of scale * (sum + bias / scale). A zero point takes a constant off each sum, since
  // what lies beside the plane is held as the zero point too.
  const auto sums = weight_sums(form.weights, output_channel_axis(node));
  for (std::size_t c = 0; c < form.scales.size(); ++c) {
    if (form.bias) terms.bias.push_back((*form.bias)[c] / form.scales[c]);
    terms.first.push_back(static_cast<std::int32_t>(-terms.zero_point * sums[c]));
  }
  integers_ = true;
  const std::vector<float> weights = as_floats(form.weights);
  if (is_op(node, "Conv")) {
    add_integer_convolution(node, std::move(terms), weights);
  } else {
    add_integer_dense(node, std::move(terms), weights, form.done);
  }
  integers_ = false;
  return {};
}

void Compiler::add_integer_convolution(const Node& node, Terms terms,
                                       std::span<const float> weights) {
  const Shape& w = shape_of(node.inputs[1]);
  const Layout result = any_result(node, 1, 0);
  Convolution shape = window_over(node, shape_of(node.inputs[0]), shape_of(node.outputs[0]),
                                  Shape(w.begin() + 2, w.end()), ElementType::kInt8)
                          .shape;
  shape.out_c = stored_count(result, 1);
  if (node.attributes.get_int("group", 1) > 1) {
    terms.weights = by_taps(weights, w, shape.out_c);
    return add_groups(node, shape, terms, channels_last_bytes(node.inputs[0], node.name), result);
  }
  terms.weights.assign(weights.begin(), weights.end());
  if (add_stem(node, shape, terms, result)) return;
  terms.weights = by_stored_channels(weights, w, shape);
  add_convolution(node, shape, terms, channels_last_bytes(node.inputs[0], node.name), result, 1, 0);
}

void Compiler::add_integer_dense(const Node& node, Terms terms, std::span<const float> weights,
                                 std::size_t done) {
  const Shape& in = shape_of(node.inputs[0]);
  const std::size_t last = in.size() - 1;
  Layout result = any_result(node, last, done);
  Dense dense =
      dense_of(node, weights, output_channel_axis(node) == 0, 1, ElementType::kInt8, result);
  if (result.type != ElementType::kInt8) result = scores_layout(node, result, done);
  terms.weights = std::move(dense.weights);
  Layout wanted = filled_layout(in, last, ElementType::kInt8);
  wanted.scale = *scale_of(node.inputs[0]);
  add_convolution(node, dense.shape, terms, with_layout(node.inputs[0], wanted, node.name), result,
                  last, done);
}

}  // namespace hedge::cuda
