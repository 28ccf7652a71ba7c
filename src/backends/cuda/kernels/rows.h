// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cuda/kernels/elements.h"

// What runs over rows: softmax, norms, reductions. A row is any set of elements that strides reach.

namespace hedge::cuda {

inline constexpr int kMostRowAxes = 5;

enum class RowsOp : std::uint8_t { kSoftmax, kLogSoftmax, kNormalize, kMean, kSum, kMax };

/// Strides over the axes that count the rows, and over those within one.
struct RowStrides {
  int outer[kMostRowAxes] = {};
  int inner[kMostRowAxes] = {};
};

struct Rows {
  RowsOp op = RowsOp::kSoftmax;
  int rows = 1, length = 1;  ///< Products of the extents.
  int outer_axes = 0, inner_axes = 0;
  int outer_extents[kMostRowAxes] = {};
  int inner_extents[kMostRowAxes] = {};
  RowStrides x{}, y{};  ///< A reduction has no use for y.inner.
  RowStrides scale{};   ///< kNormalize: of scale and bias, floats.
  ElementType x_type = ElementType::kFloat32, y_type = ElementType::kFloat32;
  float epsilon = 0;
};

/// `scale` and `bias` are those of kNormalize: (x - mean) / sqrt(variance + epsilon) * scale +
/// bias.
[[nodiscard]] cudaError_t launch_rows(const Rows& rows, void* y, const void* x, const float* scale,
                                      const float* bias, const Launch& launch);

}  // namespace hedge::cuda
