// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/kernels/product.h"

#include "backends/cuda/kernels/device.cuh"

namespace hedge::cuda {
namespace {

constexpr int kTile = 16;

__device__ inline std::size_t stack_offset(const Product& p, const Matrix& matrix, int place) {
  std::size_t offset = 0;
  for (int axis = p.stack_axes - 1; axis >= 0; --axis) {
    offset += static_cast<std::size_t>(place % p.stack_extents[axis]) * matrix.stack[axis];
    place /= p.stack_extents[axis];
  }
  return offset;
}

/// A block a tile of the result, a thread an element of it.
__global__ void __launch_bounds__(kTile* kTile)
    multiply_matrices(const Product p, void* c, const void* a, const void* b) {
  __shared__ float rows[kTile][kTile + 1];
  __shared__ float columns[kTile][kTile + 1];
  let_successor_begin();
  const int x = threadIdx.x % kTile;
  const int y = threadIdx.x / kTile;
  const int row = blockIdx.y * kTile + y;
  const int column = blockIdx.x * kTile + x;
  const int place = blockIdx.z;
  const std::size_t from_a = stack_offset(p, p.a, place);
  const std::size_t from_b = stack_offset(p, p.b, place);
  float sum = 0;
  wait_for_predecessor();
  for (int first = 0; first < p.k; first += kTile) {
    const int ka = first + x;
    const int kb = first + y;
    rows[y][x] = row < p.m && ka < p.k ? load(a, p.a.type,
                                              from_a + static_cast<std::size_t>(row) * p.a.row +
                                                  static_cast<std::size_t>(ka) * p.a.column)
                                       : 0.F;
    columns[y][x] = column < p.n && kb < p.k
                        ? load(b, p.b.type,
                               from_b + static_cast<std::size_t>(kb) * p.b.row +
                                   static_cast<std::size_t>(column) * p.b.column)
                        : 0.F;
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kTile; ++k) sum += rows[y][k] * columns[k][x];
    __syncthreads();
  }
  if (row >= p.m || column >= p.n) return;
  store(c, p.c.type,
        stack_offset(p, p.c, place) + static_cast<std::size_t>(row) * p.c.row +
            static_cast<std::size_t>(column) * p.c.column,
        sum);
}

}  // namespace

cudaError_t launch_product(const Product& product, void* c, const void* a, const void* b,
                           const Launch& launch) {
  const dim3 grid(static_cast<unsigned>(ceil_div(product.n, kTile)),
                  static_cast<unsigned>(ceil_div(product.m, kTile)),
                  static_cast<unsigned>(product.stack));
  return launch_kernel(multiply_matrices, grid, kTile * kTile, 0, launch, product, c, a, b);
}

}  // namespace hedge::cuda
