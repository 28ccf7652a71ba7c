// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/layout.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace hedge::cuda {
namespace {

std::int64_t places_of(const Layout& layout, std::size_t axis) {
  return static_cast<int>(axis) == layout.filled_axis ? layout.filled : layout.dims[axis];
}

/// The axes of more than one place, from the outermost to the innermost in memory.
std::vector<std::size_t> memory_order(const Layout& layout) {
  std::vector<std::size_t> axes;
  for (std::size_t i = 0; i < layout.dims.size(); ++i) {
    if (places_of(layout, i) > 1) axes.push_back(i);
  }
  std::stable_sort(axes.begin(), axes.end(), [&](std::size_t a, std::size_t b) {
    return layout.strides[a] > layout.strides[b];
  });
  return axes;
}

/// Dense strides for axes in an order, outermost first.
Shape strides_in_order(const Shape& places, const std::vector<std::size_t>& order) {
  Shape strides(places.size(), 1);
  std::int64_t stride = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    strides[order[i]] = stride;
    stride *= places[order[i]];
  }
  return strides;
}

std::vector<std::size_t> all_axes(std::size_t rank) {
  std::vector<std::size_t> axes(rank);
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  return axes;
}

}  // namespace

std::size_t Layout::bytes() const {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    last += (places_of(*this, i) - 1) * std::max<std::int64_t>(strides[i], 0);
  }
  return static_cast<std::size_t>(last + 1) * byte_size(type);
}

Layout row_major(const Shape& shape, ElementType type) {
  return {shape, strides_in_order(shape, all_axes(shape.size())), type};
}

Layout filled_layout(const Shape& shape, std::size_t axis, ElementType type) {
  return filled_layout(shape, axis, type, granule_of(type));
}

Layout filled_layout(const Shape& shape, std::size_t axis, ElementType type, int granule) {
  Layout layout{shape, {}, type};
  const std::int64_t filled = (shape.at(axis) + granule - 1) / granule * granule;
  if (filled != shape[axis]) {
    layout.filled_axis = static_cast<int>(axis);
    layout.filled = filled;
  }
  std::vector<std::size_t> order = all_axes(shape.size());
  order.erase(order.begin() + static_cast<std::ptrdiff_t>(axis));
  order.push_back(axis);
  Shape places = shape;
  places[axis] = filled;
  layout.strides = strides_in_order(places, order);
  return layout;
}

std::size_t channel_axis(const Shape& shape) {
  return shape.size() > 2 ? 1 : shape.size() - 1;
}

Layout channels_last(const Shape& shape, ElementType type) {
  return filled_layout(shape, channel_axis(shape), type);
}

Layout bytes_like(const Layout& layout, const Scale& scale) {
  const bool innermost = !layout.dims.empty() && layout.strides[channel_axis(layout.dims)] == 1;
  Layout bytes = innermost ? channels_last(layout.dims, ElementType::kInt8)
                           : plain_like(layout, ElementType::kInt8);
  bytes.scale = scale;
  return bytes;
}

bool same_layout(const Layout& a, const Layout& b) {
  if (a.type == ElementType::kInt8 && !(a.scale == b.scale)) return false;
  if (a.dims != b.dims || a.type != b.type || a.filled_axis != b.filled_axis ||
      (a.filled_axis >= 0 && a.filled != b.filled)) {
    return false;
  }
  for (std::size_t i = 0; i < a.dims.size(); ++i) {
    if (places_of(a, i) > 1 && a.strides[i] != b.strides[i]) return false;
  }
  return true;
}

bool is_row_major(const Layout& layout) {
  return same_layout(layout, row_major(layout.dims, layout.type));
}

bool is_dense(const Layout& layout) {
  std::int64_t expected = 1;
  const auto order = memory_order(layout);
  for (std::size_t i = order.size(); i-- > 0;) {
    if (layout.strides[order[i]] != expected) return false;
    expected *= places_of(layout, order[i]);
  }
  return true;
}

Layout plain_like(const Layout& layout, ElementType type) {
  if (!is_dense(layout)) return row_major(layout.dims, type);
  Layout result{layout.dims, strides_in_order(layout.dims, memory_order(layout)), type};
  return result;
}

Layout like(const Layout& layout, ElementType type) {
  if (layout.filled_axis < 0 || !is_dense(layout)) return plain_like(layout, type);
  return filled_layout(layout.dims, static_cast<std::size_t>(layout.filled_axis), type);
}

// Runs of axes that hold the same number of elements on both sides; within each, the old axes must
// lie one behind the other (as numpy's attempt to reshape without a copy).
std::optional<Layout> reshaped(const Layout& layout, const Shape& shape) {
  Shape dims;
  Shape strides;
  int filled_axis = -1;  // Among those.
  for (std::size_t i = 0; i < layout.dims.size(); ++i) {
    const bool filled = static_cast<int>(i) == layout.filled_axis;
    if (layout.dims[i] == 1 && !filled) continue;
    if (filled) filled_axis = static_cast<int>(dims.size());
    dims.push_back(layout.dims[i]);
    strides.push_back(layout.strides[i]);
  }
  Layout result{shape, Shape(shape.size(), 1), layout.type, -1, 0, layout.scale};
  std::size_t old_begin = 0;
  std::size_t new_begin = 0;
  while (new_begin < shape.size() || old_begin < dims.size()) {
    std::size_t old_end = old_begin;
    std::size_t new_end = new_begin;
    std::int64_t old_count = 1;
    std::int64_t new_count = 1;
    if (old_end < dims.size()) old_count = dims[old_end++];
    if (new_end < shape.size()) new_count = shape[new_end++];
    while (old_count != new_count) {
      if (new_count < old_count && new_end < shape.size()) {
        new_count *= shape[new_end++];
      } else if (old_count < new_count && old_end < dims.size()) {
        old_count *= dims[old_end++];
      } else {
        return std::nullopt;
      }
    }
    for (std::size_t i = old_begin; i + 1 < old_end; ++i) {
      if (strides[i] != strides[i + 1] * dims[i + 1]) return std::nullopt;
    }
    std::int64_t stride = old_end > old_begin ? strides[old_end - 1] : 1;
    for (std::size_t i = new_end; i-- > new_begin;) {
      result.strides[i] = stride;
      stride *= shape[i];
    }
    const bool holds_filling =
        filled_axis >= static_cast<int>(old_begin) && filled_axis < static_cast<int>(old_end);
    if (holds_filling && old_end == old_begin + 1) {
      // The filling goes with the axis where that stays one.
      for (std::size_t i = new_begin; i < new_end; ++i) {
        if (shape[i] != dims[old_begin]) continue;
        result.filled_axis = static_cast<int>(i);
        result.filled = layout.filled;
        break;
      }
    }
    old_begin = old_end;
    new_begin = new_end;
  }
  return result;
}

Layout transposed(const Layout& layout, const Shape& permutation) {
  Layout result{{}, {}, layout.type, -1, layout.filled, layout.scale};
  for (std::size_t i = 0; i < permutation.size(); ++i) {
    const auto from = static_cast<std::size_t>(permutation[i]);
    result.dims.push_back(layout.dims.at(from));
    result.strides.push_back(layout.strides.at(from));
    if (static_cast<int>(from) == layout.filled_axis) result.filled_axis = static_cast<int>(i);
  }
  return result;
}

Layout broadcast(const Layout& layout, const Shape& shape) {
  Layout result{shape, Shape(shape.size(), 0), layout.type, -1, 0, layout.scale};
  const std::size_t missing = shape.size() - layout.dims.size();
  for (std::size_t i = 0; i < layout.dims.size(); ++i) {
    const bool repeats = layout.dims[i] == 1 && shape[i + missing] != 1;
    result.strides[i + missing] = repeats ? 0 : layout.strides[i];
  }
  return result;
}

}  // namespace hedge::cuda
