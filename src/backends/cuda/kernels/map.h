// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cuda/kernels/elements.h"

// Whatever goes element by element: copies between layouts and types (into 8 bits and out of them
// too), arithmetic of two operands
// that broadcast, activations; and copies by a table of positions.

namespace hedge::cuda {

inline constexpr int kMostAxes = 8;

enum class MapOp : std::uint8_t { kCopy, kAdd, kSub, kMul, kDiv, kMin, kMax, kPRelu };

/// How a tensor lies, in elements; strides of 0 repeat.
struct Strided {
  ElementType type = ElementType::kFloat32;
  int strides[kMostAxes] = {};
  Scale scale{};  ///< Of 8 bits.
};

/// result[i] = post_ops(a[i] op b[i]) over `extents`. The result may lie over `a` or `b` where the
/// layout is the same.
struct Map {
  MapOp op = MapOp::kCopy;
  int axes = 1;
  int extents[kMostAxes] = {1};
  int used = 1;  ///< Places of the last axis that have a value; the result is zero beyond.
  Strided result{}, a{}, b{};
  int post_op_count = 0;
  PostOpParameters post_ops[kMostPostOps];  ///< Of one operand only.
};

[[nodiscard]] cudaError_t launch_map(const Map& map, void* result, const void* a, const void* b,
                                     const Launch& launch);

/// result[i] = from[sources[i]] for `count` elements that lie together; kFill is `fill`, kNothing
/// the filling of a layout.
struct Gather {
  static constexpr std::int32_t kFill = -1, kNothing = -2;
  ElementType result = ElementType::kFloat32, from = ElementType::kFloat32;
  Scale result_scale{}, from_scale{};  ///< Of 8 bits.
  int count = 0;
  float fill = 0;
};
[[nodiscard]] cudaError_t launch_gather(const Gather& gather, void* result, const void* from,
                                        const std::int32_t* sources, const Launch& launch);

}  // namespace hedge::cuda
