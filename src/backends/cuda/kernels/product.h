// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cuda/kernels/elements.h"

// Stacks of matrix products of two operands that vary.

namespace hedge::cuda {

inline constexpr int kMostStackAxes = 6;

struct Matrix {
  ElementType type = ElementType::kFloat32;
  int row = 0, column = 0;         ///< Strides, in elements.
  int stack[kMostStackAxes] = {};  ///< 0 along axes that repeat.
};

/// c = a b for each matrix of the stack.
struct Product {
  int m = 1, n = 1, k = 1;
  int stack_axes = 0;
  int stack_extents[kMostStackAxes] = {};
  int stack = 1;  ///< Product of the extents.
  Matrix a{}, b{}, c{};
};

[[nodiscard]] cudaError_t launch_product(const Product& product, void* c, const void* a,
                                         const void* b, const Launch& launch);

}  // namespace hedge::cuda
