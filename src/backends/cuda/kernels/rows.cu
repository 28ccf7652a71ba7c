// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/kernels/rows.h"

#include "backends/cuda/kernels/device.cuh"

namespace hedge::cuda {
namespace {

constexpr int kMostThreads = 256;

__device__ inline int offset_of(int flat, int axes, const int* extents, const int* strides) {
  int offset = 0;
  for (int axis = axes - 1; axis > 0; --axis) {
    offset += flat % extents[axis] * strides[axis];
    flat /= extents[axis];
  }
  return axes > 0 ? offset + flat * strides[0] : offset;
}

struct Sum {
  static constexpr float kNeutral = 0;
  static __device__ float apply(float a, float b) { return a + b; }
};
struct Largest {
  static constexpr float kNeutral = -INFINITY;
  static __device__ float apply(float a, float b) { return b > a || isnan(b) ? b : a; }
};

/// Over all threads of the block; every one gets the result. In a fixed order.
template <class Op>
__device__ float reduce_block(float x, float* shared) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    x = Op::apply(x, __shfl_xor_sync(0xffffffffU, x, step));
  }
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  if (warps == 1) return x;
  __syncthreads();  // The numbers of the reduction before may still be read.
  if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = x;
  __syncthreads();
  float result = Op::kNeutral;
  for (int w = 0; w < warps; ++w) result = Op::apply(result, shared[w]);
  return result;
}

__global__ void __launch_bounds__(kMostThreads)
    over_rows(const Rows r, void* y, const void* x, const float* scale, const float* bias) {
  __shared__ float shared[kMostThreads / kWarp];
  let_successor_begin();
  const int row = blockIdx.x;
  const int from = offset_of(row, r.outer_axes, r.outer_extents, r.x.outer);
  const int to = offset_of(row, r.outer_axes, r.outer_extents, r.y.outer);
  const auto element = [&](int i) {
    return load(
        x, r.x_type,
        static_cast<std::size_t>(from + offset_of(i, r.inner_axes, r.inner_extents, r.x.inner)));
  };
  const auto put = [&](int i, float value) {
    store(y, r.y_type,
          static_cast<std::size_t>(to + offset_of(i, r.inner_axes, r.inner_extents, r.y.inner)),
          value);
  };
  const int first = threadIdx.x;
  const int step = blockDim.x;
  wait_for_predecessor();

  if (r.op == RowsOp::kMax || r.op == RowsOp::kSoftmax || r.op == RowsOp::kLogSoftmax) {
    float largest = -INFINITY;
    for (int i = first; i < r.length; i += step) largest = Largest::apply(largest, element(i));
    largest = reduce_block<Largest>(largest, shared);
    if (r.op == RowsOp::kMax) {
      if (first == 0) store(y, r.y_type, static_cast<std::size_t>(to), largest);
      return;
    }
    float sum = 0;
    for (int i = first; i < r.length; i += step) sum += expf(element(i) - largest);
    sum = reduce_block<Sum>(sum, shared);
    const float log_sum = logf(sum);
    for (int i = first; i < r.length; i += step) {
      const float shifted = element(i) - largest;
      put(i, r.op == RowsOp::kSoftmax ? expf(shifted) / sum : shifted - log_sum);
    }
    return;
  }
  float sum = 0;
  for (int i = first; i < r.length; i += step) sum += element(i);
  sum = reduce_block<Sum>(sum, shared);
  const float mean = sum / static_cast<float>(r.length);
  if (r.op != RowsOp::kNormalize) {
    if (first == 0) {
      store(y, r.y_type, static_cast<std::size_t>(to), r.op == RowsOp::kSum ? sum : mean);
    }
    return;
  }
  float squares = 0;
  for (int i = first; i < r.length; i += step) {
    const float d = element(i) - mean;
    squares += d * d;
  }
  squares = reduce_block<Sum>(squares, shared);
  const float inverse = 1 / sqrtf(squares / static_cast<float>(r.length) + r.epsilon);
  const int scale_at = offset_of(row, r.outer_axes, r.outer_extents, r.scale.outer);
  for (int i = first; i < r.length; i += step) {
    const int s = scale_at + offset_of(i, r.inner_axes, r.inner_extents, r.scale.inner);
    put(i, (element(i) - mean) * inverse * __ldg(scale + s) +
               (bias == nullptr ? 0.F : __ldg(bias + s)));
  }
}

}  // namespace

cudaError_t launch_rows(const Rows& rows, void* y, const void* x, const float* scale,
                        const float* bias, const Launch& launch) {
  const int threads =
      rows.length >= kMostThreads ? kMostThreads : ceil_div(rows.length, kWarp) * kWarp;
  return launch_kernel(over_rows, dim3(static_cast<unsigned>(rows.rows)),
                       static_cast<unsigned>(threads), 0, launch, rows, y, x, scale, bias);
}

}  // namespace hedge::cuda
