// SPDX-License-Identifier: Apache-2.0
#include "graph/operators/common.h"

#include <fmt/format.h>

#include <algorithm>

namespace hedge::operators {
namespace {

/// Attributes of a window come from foreign files; beyond this their products could overflow.
constexpr std::int64_t kMaxWindow = 1 << 20;

void check_window(const SlidingWindow& window) {
  const auto within = [](const Ints& values, std::int64_t least) {
    return std::all_of(values.begin(), values.end(),
                       [&](std::int64_t v) { return v >= least && v <= kMaxWindow; });
  };
  require(within(window.kernel, 1), fmt::format("kernel {} ", fmt::join(window.kernel, "x")));
  require(within(window.strides, 1), fmt::format("strides {}", fmt::join(window.strides, "x")));
  require(within(window.dilations, 1),
          fmt::format("dilations {}", fmt::join(window.dilations, "x")));
  require(within(window.pad_begin, 0) && within(window.pad_end, 0),
          fmt::format("pads {} and {}", fmt::join(window.pad_begin, "x"),
                      fmt::join(window.pad_end, "x")));
}

}  // namespace

void require(bool condition, const std::string& message) {
  if (!condition) throw bad_input(message);
}

void require_type(DataType type, TypeSet set) {
  require(set(type), fmt::format("elements of {} are not supported", to_string(type)));
}

std::optional<Ints> known_ints(Inputs inputs, std::size_t i, const char* what) {
  if (!has(inputs, i)) return std::nullopt;
  require(inputs[i]->constant.has_value(),
          fmt::format("{} is computed from the input's values (a dynamic shape)", what));
  return inputs[i]->constant->to_int64();
}

std::optional<Ints> known_ints(Tensors inputs, std::size_t i, const char* /*what*/) {
  if (!has(inputs, i)) return std::nullopt;
  return inputs[i].to_int64();
}

std::size_t normal_axis(std::int64_t axis, std::size_t rank) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  require(axis >= -signed_rank && axis < signed_rank,
          fmt::format("axis {} of a tensor with {} axes", axis, rank));
  return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
}

std::vector<std::size_t> normal_axes(const Ints& axes, std::size_t rank) {
  std::vector<std::size_t> normal;
  for (const std::int64_t axis : axes) normal.push_back(normal_axis(axis, rank));
  std::sort(normal.begin(), normal.end());
  require(std::adjacent_find(normal.begin(), normal.end()) == normal.end(),
          "an axis is named twice");
  return normal;
}

std::int64_t bounded_product(std::int64_t a, std::int64_t b) {
  constexpr std::int64_t kMost = std::int64_t{1} << 50;
  return b != 0 && a > kMost / b ? kMost : a * b;
}

Shape broadcast(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t x = i + a.size() < out.size() ? 1 : a[i + a.size() - out.size()];
    const std::int64_t y = i + b.size() < out.size() ? 1 : b[i + b.size() - out.size()];
    require(x == y || x == 1 || y == 1,
            fmt::format("shapes {} and {} do not fit", to_string(a), to_string(b)));
    out[i] = x == 1 ? y : x;
  }
  (void)element_count(out);
  return out;
}

Ints strides_of(const Shape& shape) {
  Ints strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

Ints broadcast_strides(const Shape& shape, const Shape& out) {
  const Ints own = strides_of(shape);
  Ints strides(out.size(), 0);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 1) strides[i + out.size() - shape.size()] = own[i];
  }
  return strides;
}

SlidingWindow sliding_window(const Node& node, const Shape& spatial, const Ints& kernel) {
  const std::size_t rank = spatial.size();
  const Ints ones(rank, 1);
  SlidingWindow window{.kernel = kernel,
                       .strides = node.attributes.get_ints("strides", ones),
                       .dilations = node.attributes.get_ints("dilations", ones),
                       .pad_begin = Ints(rank, 0),
                       .pad_end = Ints(rank, 0),
                       .output = {}};
  const std::string mode = node.attributes.get_string("auto_pad", "NOTSET");
  const Ints pads = node.attributes.get_ints("pads", Ints(2 * rank, 0));
  require(window.kernel.size() == rank && window.strides.size() == rank &&
              window.dilations.size() == rank && pads.size() == 2 * rank,
          "kernel, strides, dilations or pads have the wrong number of axes");
  if (mode == "NOTSET") {
    std::copy_n(pads.begin(), rank, window.pad_begin.begin());
    std::copy_n(pads.begin() + static_cast<std::ptrdiff_t>(rank), rank, window.pad_end.begin());
  } else {
    require(mode == "VALID" || mode == "SAME_UPPER" || mode == "SAME_LOWER",
            fmt::format("auto_pad {}", mode));
  }
  check_window(window);
  const bool ceil = node.attributes.get_int("ceil_mode", 0) != 0 && mode == "NOTSET";
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const std::int64_t stride = window.strides[i];
    if (mode.starts_with("SAME")) {
      const std::int64_t out = (spatial[i] + stride - 1) / stride;
      const std::int64_t total = std::max<std::int64_t>((out - 1) * stride + reach - spatial[i], 0);
      window.pad_begin[i] = mode == "SAME_UPPER" ? total / 2 : (total + 1) / 2;
      window.pad_end[i] = total - window.pad_begin[i];
      window.output.push_back(out);
      continue;
    }
    const std::int64_t free = spatial[i] + window.pad_begin[i] + window.pad_end[i] - reach;
    require(free >= 0, fmt::format("a window of {} over {} elements", reach, spatial[i]));
    std::int64_t out = (free + (ceil ? stride - 1 : 0)) / stride + 1;
    // A window that would start in the end padding is left out (ONNX, PyTorch).
    if (ceil && (out - 1) * stride >= spatial[i] + window.pad_begin[i]) --out;
    window.output.push_back(out);
  }
  return window;
}

std::vector<TensorType> same_as_first(const Node& /*node*/, Inputs inputs) {
  return {inputs[0]->type};
}

}  // namespace hedge::operators
