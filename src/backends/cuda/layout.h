// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>

#include "backends/cuda/kernels/elements.h"
#include "base/tensor.h"

namespace hedge::cuda {

/// How a value lies: a stride for each axis, in elements. Along one axis the places may be filled
/// up with zeros to whole granules, which is how convolutions want their channels.
struct Layout {
  Shape dims;
  Shape strides;
  ElementType type = ElementType::kFloat32;
  int filled_axis = -1;     ///< Its stride is 1; -1: nothing is filled up.
  std::int64_t filled = 0;  ///< Its places, the zeros among them.
  Scale scale{};            ///< Of kInt8.

  /// From the first element to behind the last one, the filling included.
  [[nodiscard]] std::size_t bytes() const;
};

[[nodiscard]] Layout row_major(const Shape& shape, ElementType type);
/// Row-major, but for one axis, which is innermost and filled up to granules of the type, or of
/// another one.
[[nodiscard]] Layout filled_layout(const Shape& shape, std::size_t axis, ElementType type);
[[nodiscard]] Layout filled_layout(const Shape& shape, std::size_t axis, ElementType type,
                                   int granule);
/// Axis 1 of planes, else the last.
[[nodiscard]] std::size_t channel_axis(const Shape& shape);
/// Channels innermost.
[[nodiscard]] Layout channels_last(const Shape& shape, ElementType type);
/// As bytes of that scale: channels innermost where they are so in the layout, else plain_like.
[[nodiscard]] Layout bytes_like(const Layout& layout, const Scale& scale);

/// Strides of axes of one place do not count.
[[nodiscard]] bool same_layout(const Layout& a, const Layout& b);
[[nodiscard]] bool is_row_major(const Layout& layout);
/// Every element has a place of its own, and there are no other places but filling.
[[nodiscard]] bool is_dense(const Layout& layout);

/// The layout as one of another element type, without filling: a new value beside one that lies so.
/// Row-major where the layout has gaps or repeats.
[[nodiscard]] Layout plain_like(const Layout& layout, ElementType type);
/// The same, filled up where the layout is.
[[nodiscard]] Layout like(const Layout& layout, ElementType type);

/// The same elements under another shape, where strides can say that.
[[nodiscard]] std::optional<Layout> reshaped(const Layout& layout, const Shape& shape);
/// Axis i is the layout's axis permutation[i].
[[nodiscard]] Layout transposed(const Layout& layout, const Shape& permutation);
/// As an operand of as many axes as `shape`, strides of 0 where it repeats.
[[nodiscard]] Layout broadcast(const Layout& layout, const Shape& shape);

}  // namespace hedge::cuda
