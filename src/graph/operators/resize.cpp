// SPDX-License-Identifier: Apache-2.0
// Resize with the meaning of opset 19. The importer turns Upsample and Resize of opset 10 into it.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string_view>

#include "graph/operators/common.h"

namespace hedge::operators {
namespace {

/// How one axis is resized. Coordinates are computed in float32, as ONNX Runtime does: where they
/// fall on the border between two pixels, the rounding decides which is the nearest.
struct AxisResize {
  std::int64_t in = 0;
  std::int64_t out = 0;
  float scale = 1;
};

std::string one_of(const Node& node, const char* name, std::initializer_list<const char*> known) {
  const std::string value = node.attributes.get_string(name, *known.begin());
  require(
      std::any_of(known.begin(), known.end(), [&](const char* k) { return value == k; }),
      fmt::format("attribute {}: Hedge has no '{}' (but {})", name, value, fmt::join(known, ", ")));
  return value;
}

/// Also the check that this is a Resize that Hedge has.
std::string interpolation(const Node& node) {
  require(node.attributes.get_int("antialias", 0) == 0, "attribute antialias: not supported");
  (void)one_of(node, "coordinate_transformation_mode",
               {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                "asymmetric", "tf_half_pixel_for_nn"});
  (void)one_of(node, "nearest_mode",
               {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil",
                "floor_enlarging_ceil_shrinking"});
  return one_of(node, "mode", {"nearest", "linear", "cubic"});
}

std::optional<std::vector<float>> known_scales(const Tensor* tensor) {
  // Opset 11 gives an empty tensor where sizes are meant.
  if (tensor == nullptr || !*tensor || tensor->size() == 0) return std::nullopt;
  const auto scales = tensor->values<float>();
  return std::vector<float>(scales.begin(), scales.end());
}

std::optional<std::vector<float>> scales_of(Inputs in) {
  if (!has(in, 2)) return std::nullopt;
  require(in[2]->constant.has_value(),
          "scales are computed from the input's values (a dynamic shape)");
  return known_scales(&*in[2]->constant);
}
std::optional<std::vector<float>> scales_of(Tensors in) {
  return in.size() > 2 ? known_scales(&in[2]) : std::nullopt;
}

void set_scale(AxisResize& axis, float scale) {
  require(scale > 0 && std::isfinite(scale), fmt::format("a scale of {}", scale));
  axis.scale = scale;
}

void apply_scales(std::vector<AxisResize>& axes, const std::vector<std::size_t>& which,
                  const std::vector<float>& scales) {
  require(scales.size() == which.size(), "scales do not fit the axes");
  for (std::size_t i = 0; i < which.size(); ++i) {
    AxisResize& axis = axes[which[i]];
    set_scale(axis, scales[i]);
    axis.out = convert<std::int64_t>(std::floor(static_cast<float>(axis.in) * scales[i]));
  }
}

void apply_sizes(const Node& node, std::vector<AxisResize>& axes,
                 const std::vector<std::size_t>& which, const Ints& sizes) {
  const std::string policy =
      one_of(node, "keep_aspect_ratio_policy", {"stretch", "not_larger", "not_smaller"});
  require(sizes.size() == which.size(), "sizes do not fit the axes");
  std::vector<float> scales;
  for (std::size_t i = 0; i < which.size(); ++i) {
    AxisResize& axis = axes[which[i]];
    (void)element_count({sizes[i]});
    require(axis.in > 0 || sizes[i] == 0, "an empty axis cannot be enlarged");
    axis.out = sizes[i];
    scales.push_back(axis.in == 0 ? 1.F
                                  : static_cast<float>(sizes[i]) / static_cast<float>(axis.in));
  }
  if (policy != "stretch" && !scales.empty()) {
    const float common = policy == "not_larger" ? *std::min_element(scales.begin(), scales.end())
                                                : *std::max_element(scales.begin(), scales.end());
    std::fill(scales.begin(), scales.end(), common);
    for (const std::size_t i : which) {
      axes[i].out =
          convert<std::int64_t>(std::floor(static_cast<float>(axes[i].in) * common + 0.5F));
    }
  }
  for (std::size_t i = 0; i < which.size(); ++i) {
    if (axes[which[i]].out > 0) set_scale(axes[which[i]], scales[i]);
  }
}

template <class In>
std::vector<AxisResize> resized_axes(const Node& node, In in, const Shape& shape) {
  std::vector<AxisResize> axes;
  for (const std::int64_t extent : shape) axes.push_back({extent, extent, 1});
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < shape.size(); ++i) which.push_back(i);
  if (node.attributes.has("axes")) {
    const Ints given = node.attributes.get_ints("axes");
    (void)normal_axes(given, shape.size());
    which.clear();
    for (const std::int64_t axis : given) which.push_back(normal_axis(axis, shape.size()));
  }
  const auto scales = scales_of(in);
  const auto sizes = known_ints(in, 3, "sizes");
  require(scales.has_value() != (sizes && !sizes->empty()),
          "either scales or sizes are needed, and not both");
  if (scales) {
    apply_scales(axes, which, *scales);
  } else {
    apply_sizes(node, axes, which, *sizes);
  }
  return axes;
}

Shape resized_shape(const std::vector<AxisResize>& axes) {
  Shape shape;
  for (const AxisResize& axis : axes) shape.push_back(axis.out);
  (void)element_count(shape);
  return shape;
}

std::vector<TensorType> infer_resize(const Node& node, Inputs in) {
  const std::string mode = interpolation(node);
  require_type(in[0]->type.type, mode == "nearest" ? is_number : is_float);
  return {{in[0]->type.type, resized_shape(resized_axes(node, in, in[0]->type.shape))}};
}

/// The place in the input that place x of the output stands for.
float original_coordinate(std::string_view mode, const AxisResize& axis, std::int64_t place) {
  const auto x = static_cast<float>(place);
  const auto in = static_cast<float>(axis.in);
  const auto out = static_cast<float>(axis.out);
  if (mode == "asymmetric") return x / axis.scale;
  if (mode == "align_corners") return axis.out == 1 ? 0 : x * (in - 1) / (out - 1);
  if (mode == "pytorch_half_pixel" && axis.out == 1) return 0;
  if (mode == "tf_half_pixel_for_nn") return (x + 0.5F) / axis.scale;
  const float half_pixel = (x + 0.5F) / axis.scale - 0.5F;
  if (mode != "half_pixel_symmetric") return half_pixel;
  // The middle of the output is the middle of the input, though its extent was rounded.
  return in / 2 * (1 - out / (axis.scale * in)) + half_pixel;
}

/// The last of the modes is the importer's, for what opset 10 meant.
float nearest(std::string_view mode, float scale, float x) {
  if (mode == "floor_enlarging_ceil_shrinking") return scale < 1 ? std::ceil(x) : std::floor(x);
  if (mode == "round_prefer_floor") return std::ceil(x - 0.5F);
  if (mode == "round_prefer_ceil") return std::floor(x + 0.5F);
  return mode == "floor" ? std::floor(x) : std::ceil(x);
}

/// One element of the input's axis and its share in one of the output's.
struct Tap {
  std::int64_t place = 0;
  double weight = 1;
};

/// Keys, 1981: the weight of an element `distance` away; a is -0.75 in PyTorch, -0.5 in TensorFlow.
double cubic_weight(double a, double distance) {
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

std::vector<Tap> taps_at(const Node& node, const std::string& mode, const AxisResize& axis,
                         float x) {
  const auto clamp = [&](double place) {
    return std::clamp<std::int64_t>(convert<std::int64_t>(place), 0, axis.in - 1);
  };
  if (mode == "nearest") {
    return {{clamp(nearest(node.attributes.get_string("nearest_mode", "round_prefer_floor"),
                           axis.scale, x)),
             1}};
  }
  const double low = std::floor(x);
  if (mode == "linear") return {{clamp(low), 1 - (x - low)}, {clamp(low + 1), x - low}};
  const double a = node.attributes.get_float("cubic_coeff_a", -0.75F);
  const bool exclude_outside = node.attributes.get_int("exclude_outside", 0) != 0;
  std::vector<Tap> taps;
  double sum = 0;
  for (double place = low - 1; place <= low + 2; ++place) {
    const bool outside = place < 0 || place >= static_cast<double>(axis.in);
    const double weight = exclude_outside && outside ? 0 : cubic_weight(a, x - place);
    taps.push_back({clamp(place), weight});
    sum += weight;
  }
  for (Tap& tap : taps) tap.weight /= exclude_outside ? sum : 1;
  return taps;
}

/// For each place along an axis of the output, what it is made of.
std::vector<std::vector<Tap>> taps_of(const Node& node, const std::string& mode,
                                      const AxisResize& axis) {
  const std::string coordinates =
      node.attributes.get_string("coordinate_transformation_mode", "half_pixel");
  std::vector<std::vector<Tap>> all;
  for (std::int64_t place = 0; place < axis.out; ++place) {
    if (axis.in == axis.out && axis.scale == 1) {
      all.push_back({{place, 1}});
    } else {
      all.push_back(taps_at(node, mode, axis, original_coordinate(coordinates, axis, place)));
    }
  }
  return all;
}

using Taps = std::vector<std::vector<std::vector<Tap>>>;  ///< By axis, place, tap.

/// The sum over the taps of all axes from `axis` on.
template <class T>
double interpolate(std::span<const T> x, const Taps& taps, const Ints& strides, const Ints& index,
                   std::size_t axis, std::int64_t offset) {
  if (axis == index.size()) return static_cast<double>(x[static_cast<std::size_t>(offset)]);
  double sum = 0;
  for (const Tap& tap : taps[axis][static_cast<std::size_t>(index[axis])]) {
    sum += tap.weight *
           interpolate(x, taps, strides, index, axis + 1, offset + tap.place * strides[axis]);
  }
  return sum;
}

std::vector<Tensor> run_resize(const Node& node, Tensors in) {
  const std::string mode = interpolation(node);
  const std::vector<AxisResize> axes = resized_axes(node, in, in[0].shape());
  const Shape shape = resized_shape(axes);
  const Ints strides = strides_of(in[0].shape());
  Tensor out(in[0].type(), shape);
  if (out.size() == 0) return {out};
  Taps taps;
  for (const AxisResize& axis : axes) taps.push_back(taps_of(node, mode, axis));
  with_number(in[0].type(), [&](auto zero) {
    using T = decltype(zero);
    const auto y = out.mutable_values<T>();
    for_each_index(shape, [&](const Ints& index, std::size_t flat) {
      y[flat] = convert<T>(interpolate(in[0].values<T>(), taps, strides, index, 0, 0));
    });
  });
  return {out};
}

std::int64_t resize_steps(const Node& node, Inputs in, const TensorType& output) {
  const std::string mode = interpolation(node);
  std::int64_t steps = element_count(output.shape);
  for (const AxisResize& axis : resized_axes(node, in, in[0]->type.shape)) {
    if (axis.in == axis.out && axis.scale == 1) continue;
    steps = bounded_product(steps, mode == "nearest" ? 1 : mode == "linear" ? 2 : 4);
  }
  return steps;
}

constexpr std::array kTable{
    // X, roi (only for tf_crop_and_resize), scales, sizes
    Operator{.name = "Resize",
             .max_inputs = 4,
             .infer = infer_resize,
             .execute = run_resize,
             .steps = resize_steps},
};

}  // namespace

std::span<const Operator> resize_table() {
  return kTable;
}

}  // namespace hedge::operators
