// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

void require_floats(Inputs in) {
  for (const Value* value : in) {
    require(value == nullptr || value->type.type == DataType::kFloat32, "only float32");
  }
}

/// N x C x anything.
void require_channels(const Shape& x) {
  require(x.size() >= 2, fmt::format("a tensor of shape {} has no channels", to_string(x)));
}

// ---- BatchNormalization

std::vector<TensorType> infer_batch_norm(const Node& node, Inputs in) {
  const Shape& x = in[0]->type.shape;
  require_floats(in);
  require_channels(x);
  require(node.attributes.get_int("training_mode", 0) == 0,
          "attribute training_mode: export the model for inference");
  for (std::size_t i = 1; i < 5; ++i) {
    require(has(in, i) && in[i]->type.shape == Shape{x[1]},
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

// ---- LRN

std::vector<TensorType> infer_lrn(const Node& node, Inputs in) {
  require_floats(in);
  require_channels(in[0]->type.shape);
  require(node.attributes.get_int("size", 0) >= 1, "attribute size: at least 1 is needed");
  return {in[0]->type};
}

/// y = x / (bias + alpha / size * (sum of squares over `size` channels around))^beta
std::vector<Tensor> run_lrn(const Node& node, Tensors in) {
  const std::int64_t size = node.attributes.get_int("size", 0);
  const double alpha = node.attributes.get_float("alpha", 1e-4F);
  const double beta = node.attributes.get_float("beta", 0.75F);
  const double bias = node.attributes.get_float("bias", 1);
  const Shape& shape = in[0].shape();
  const std::int64_t stride = strides_of(shape)[1];
  const auto x = in[0].values<float>();
  Tensor out(DataType::kFloat32, shape);
  const auto y = out.mutable_values<float>();
  for_each_index(shape, [&](const Ints& index, std::size_t flat) {
    const std::int64_t c = index[1];
    const std::int64_t first = std::max<std::int64_t>(c - (size - 1) / 2, 0);
    // Written so that a size near the end of the integers does not overflow.
    const std::int64_t last = c + std::min(size / 2, shape[1] - 1 - c);
    double sum = 0;
    for (std::int64_t i = first; i <= last; ++i) {
      const double v =
          x[static_cast<std::size_t>(static_cast<std::int64_t>(flat) + (i - c) * stride)];
      sum += v * v;
    }
    y[flat] = static_cast<float>(x[flat] /
                                 std::pow(bias + alpha / static_cast<double>(size) * sum, beta));
  });
  return {out};
}

std::int64_t lrn_steps(const Node& node, Inputs in, const TensorType& output) {
  return bounded_product(element_count(output.shape),
                         std::min(node.attributes.get_int("size", 0), in[0]->type.shape[1]));
}

// ---- Normalisation of runs of elements by their own mean and variance

struct Moments {
  double mean = 0;
  double inverse_deviation = 0;  ///< 1 / sqrt(variance + epsilon)
};

Moments moments(std::span<const float> run, double epsilon) {
  const auto n = static_cast<double>(run.size());
  Moments m;
  for (const float x : run) m.mean += x / n;
  double variance = 0;
  for (const float x : run) variance += (x - m.mean) * (x - m.mean) / n;
  m.inverse_deviation = 1 / std::sqrt(variance + epsilon);
  return m;
}

/// Every `length` elements that lie one after the other become (x - mean) / deviation; `finish`
/// gets that number and its place. `all`, where given, receives the moments of each run.
template <class Finish>
Tensor normalize_runs(const Tensor& in, std::int64_t length, double epsilon, Finish finish,
                      std::vector<Moments>* all = nullptr) {
  const auto x = in.values<float>();
  Tensor out(DataType::kFloat32, in.shape());
  const auto y = out.mutable_values<float>();
  const auto n = static_cast<std::size_t>(length);
  for (std::size_t first = 0; first < x.size(); first += n) {
    const Moments m = moments(x.subspan(first, n), epsilon);
    if (all != nullptr) all->push_back(m);
    for (std::size_t i = first; i < first + n; ++i) {
      y[i] = static_cast<float>(finish((x[i] - m.mean) * m.inverse_deviation, i));
    }
  }
  return out;
}

// ---- InstanceNormalization, GroupNormalization

/// The number of groups that share mean and variance: of InstanceNormalization, each channel.
std::int64_t group_count(const Node& node, const Shape& x) {
  require_channels(x);
  const bool instance = node.op->name == "InstanceNormalization";
  const std::int64_t groups = instance ? x[1] : node.attributes.get_int("num_groups", 0);
  require(instance || (groups >= 1 && x[1] % groups == 0),
          fmt::format("attribute num_groups: {} channels in {} groups", x[1], groups));
  return groups;
}

std::vector<TensorType> infer_group_norm(const Node& node, Inputs in) {
  const Shape& x = in[0]->type.shape;
  require_floats(in);
  const std::int64_t groups = group_count(node, x);
  const Shape& scale = in[1]->type.shape;
  require(scale == in[2]->type.shape && (scale == Shape{x[1]} || scale == Shape{groups}),
          "scale and bias are not one number a channel");
  return {in[0]->type};
}

/// Scale and bias are one number a channel since opset 21. GroupNormalization of opset 18 had one a
/// group: their length tells which, and where both lengths are the same, so is the meaning.
std::vector<Tensor> run_group_norm(const Node& node, Tensors in) {
  const Shape& shape = in[0].shape();
  const std::int64_t groups = group_count(node, shape);
  const std::int64_t plane = element_count(Shape(shape.begin() + 2, shape.end()));
  if (in[0].size() == 0) return {in[0]};
  const auto scale = in[1].values<float>();
  const auto bias = in[2].values<float>();
  const std::int64_t channels_each = shape[1] / in[1].size();  // That share a scale.
  return {normalize_runs(
      in[0], shape[1] / groups * plane, node.attributes.get_float("epsilon", 1e-5F),
      [&](double x, std::size_t at) {
        const std::int64_t c = static_cast<std::int64_t>(at) / plane % shape[1] / channels_each;
        return x * scale[static_cast<std::size_t>(c)] + bias[static_cast<std::size_t>(c)];
      })};
}

// ---- LayerNormalization

/// The shape of the means: 1 from `axis` on.
Shape layer_moments_shape(const Node& node, Shape x) {
  const std::size_t axis = normal_axis(node.attributes.get_int("axis", -1), x.size());
  std::fill(x.begin() + static_cast<std::ptrdiff_t>(axis), x.end(), 1);
  return x;
}

/// Outputs: the result, the means, the inverse deviations.
std::vector<TensorType> infer_layer_norm(const Node& node, Inputs in) {
  const Shape& x = in[0]->type.shape;
  require_floats(in);
  for (std::size_t i = 1; i < in.size(); ++i) {
    require(!has(in, i) || broadcast(in[i]->type.shape, x) == x,
            fmt::format("scale or bias of shape {} do not fit the input {}",
                        to_string(in[i]->type.shape), to_string(x)));
  }
  const TensorType of_runs{DataType::kFloat32, layer_moments_shape(node, x)};
  return {in[0]->type, of_runs, of_runs};
}

std::vector<Tensor> run_layer_norm(const Node& node, Tensors in) {
  const Shape& shape = in[0].shape();
  const Shape of_runs = layer_moments_shape(node, shape);
  Tensor means(DataType::kFloat32, of_runs);
  Tensor inverse_deviations(DataType::kFloat32, of_runs);
  if (in[0].size() == 0) return {in[0], means, inverse_deviations};
  std::vector<Moments> all;
  Tensor out = normalize_runs(
      in[0], in[0].size() / means.size(), node.attributes.get_float("epsilon", 1e-5F),
      [](double x, std::size_t) { return x; }, &all);
  const auto y = out.mutable_values<float>();
  const Ints scale_strides = broadcast_strides(in[1].shape(), shape);
  const Ints bias_strides = has(in, 2) ? broadcast_strides(in[2].shape(), shape) : Ints{};
  for_each_index(shape, [&](const Ints& index, std::size_t flat) {
    y[flat] *= in[1].values<float>()[dot(index, scale_strides)];
    if (has(in, 2)) y[flat] += in[2].values<float>()[dot(index, bias_strides)];
  });
  for (std::size_t i = 0; i < all.size(); ++i) {
    means.mutable_values<float>()[i] = static_cast<float>(all[i].mean);
    inverse_deviations.mutable_values<float>()[i] = static_cast<float>(all[i].inverse_deviation);
  }
  return {out, means, inverse_deviations};
}

constexpr std::array kTable{
    Operator{.name = "BatchNormalization",
             .min_inputs = 5,
             .max_inputs = 5,
             .infer = infer_batch_norm,
             .execute = run_batch_norm},
    Operator{.name = "LRN", .infer = infer_lrn, .execute = run_lrn, .steps = lrn_steps},
    Operator{.name = "InstanceNormalization",
             .min_inputs = 3,
             .max_inputs = 3,
             .infer = infer_group_norm,
             .execute = run_group_norm},
    Operator{.name = "GroupNormalization",
             .min_inputs = 3,
             .max_inputs = 3,
             .infer = infer_group_norm,
             .execute = run_group_norm},
    Operator{.name = "LayerNormalization",
             .min_inputs = 2,
             .max_inputs = 3,
             .infer = infer_layer_norm,
             .execute = run_layer_norm},
};

}  // namespace

std::span<const Operator> normalization_table() {
  return kTable;
}

}  // namespace hedge::operators
