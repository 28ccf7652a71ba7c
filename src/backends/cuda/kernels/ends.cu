// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/kernels/device.cuh"
#include "backends/cuda/kernels/ends.h"

namespace hedge::cuda {
namespace {

constexpr int kStemThreads = 128;
constexpr int kHeadThreads = 256;

/// Channels that a thread of the stem has.
int stem_lanes(const Stem& stem) {
  const bool any = stem.quantized || stem.type == ElementType::kInt8;
  return any ? kLanes<AnyElement> : granule_of(stem.type);
}

/// What a block has of input and output.
struct StemTile {
  int rows = 1;     ///< Of the result.
  int in_rows = 1;  ///< Of the input, at most.
};
StemTile tile_of(const Stem& stem) {
  const Convolution& c = stem.shape;
  const int items = c.out_w * (c.out_c / stem_lanes(stem));
  StemTile tile;
  tile.rows = items >= kStemThreads ? 1 : kStemThreads / items;
  if (tile.rows > c.out_h) tile.rows = c.out_h;
  tile.in_rows = (tile.rows - 1) * c.stride_h + (c.kernel_h - 1) * c.dilation_h + 1;
  return tile;
}

struct StemParameters {
  Stem stem;
  StemTile tile;
  const float* x = nullptr;
  const float* weights = nullptr;
  Epilogue epilogue;
};

/// Floats that lie together into shared memory. The input may be the host's: each round of loads
/// costs a way over the bus, so as many as can be are under way at once.
/// Stored numbers less their zero point where the stem takes 8 bits.
__device__ inline void fetch(const Stem& stem, float* to, const float* from, int count) {
  const float inverse = __frcp_rn(stem.scale.scale);
  const auto taken = [&](float x) {
    if (!stem.quantized) return x;
    return to_steps(x, inverse, stem.scale.zero_point) - static_cast<float>(stem.scale.zero_point);
  };
  constexpr int kUnderWay = 4;
  const bool wide = count % 4 == 0 && reinterpret_cast<std::uintptr_t>(from) % kGranuleBytes == 0 &&
                    reinterpret_cast<std::uintptr_t>(to) % kGranuleBytes == 0;
  if (!wide) {
    for (int i = threadIdx.x; i < count; i += kStemThreads) to[i] = taken(from[i]);
    return;
  }
  const auto* source = reinterpret_cast<const float4*>(from);
  auto* target = reinterpret_cast<float4*>(to);
  for (int first = threadIdx.x; first < count / 4; first += kUnderWay * kStemThreads) {
    float4 values[kUnderWay];
#pragma unroll
    for (int i = 0; i < kUnderWay; ++i) {
      const int at = first + i * kStemThreads;
      if (at < count / 4) values[i] = source[at];
    }
#pragma unroll
    for (int i = 0; i < kUnderWay; ++i) {
      const int at = first + i * kStemThreads;
      const float4 v = values[i];
      if (at < count / 4) target[at] = {taken(v.x), taken(v.y), taken(v.z), taken(v.w)};
    }
  }
}

/// A thread a granule of channels of a pixel; weights and the rows of the input that the block
/// needs in shared memory.
template <class Element>
__global__ void __launch_bounds__(kStemThreads) convolve_stem(const StemParameters p) {
  constexpr int kG = kLanes<Element>;
  extern __shared__ float4 shared[];
  let_successor_begin();
  const Convolution& c = p.stem.shape;
  const int taps = c.kernel_h * c.kernel_w * c.in_c;
  auto* weights = reinterpret_cast<float*>(shared);
  float* image = weights + taps * c.out_c;
  for (int i = threadIdx.x; i < taps * c.out_c; i += kStemThreads)
    weights[i] = __ldg(p.weights + i);
  const int first_row = blockIdx.x * p.tile.rows;
  const int wanted = first_row * c.stride_h - c.pad_top;
  const int top = max(wanted, 0);
  const int rows_in = min(wanted + p.tile.in_rows, c.in_h) - top;
  const int line = c.in_w * (p.stem.planar ? 1 : c.in_c);  // A row, in memory.
  const int lines = p.stem.planar ? c.in_c : 1;
  const int row_stride = line;
  const int column_stride = p.stem.planar ? 1 : c.in_c;
  const int channel_stride = p.stem.planar ? p.tile.in_rows * line : 1;
  wait_for_predecessor();
  for (int i = 0; i < lines && rows_in > 0; ++i) {
    const std::size_t plane = static_cast<std::size_t>(blockIdx.y) * lines + i;
    fetch(p.stem, image + i * channel_stride, p.x + (plane * c.in_h + top) * line, rows_in * line);
  }
  __syncthreads();
  const int granules = c.out_c / kG;
  // Neighbouring threads have neighbouring pixels: their weights are the same.
  const int pixels = p.tile.rows * c.out_w;
  for (int item = threadIdx.x; item < pixels * granules; item += kStemThreads) {
    const int g = item / pixels;
    const int column = item % pixels % c.out_w;
    const int row = item % pixels / c.out_w;
    if (first_row + row >= c.out_h) continue;
    const ChannelTerms<Element, kG> terms(p.epilogue, g * kG);
    float sum[kG] = {};
    for (int ky = 0; ky < c.kernel_h; ++ky) {
      const int from_row = wanted + row * c.stride_h + ky * c.dilation_h;
      if (from_row < 0 || from_row >= c.in_h) continue;
      for (int kx = 0; kx < c.kernel_w; ++kx) {
        const int from_column = column * c.stride_w - c.pad_left + kx * c.dilation_w;
        if (from_column < 0 || from_column >= c.in_w) continue;
        const float* pixel = image + (from_row - top) * row_stride + from_column * column_stride;
        const float* weight = weights + (ky * c.kernel_w + kx) * c.in_c * c.out_c + g * kG;
        for (int i = 0; i < c.in_c; ++i) {
          const float x = pixel[i * channel_stride];
#pragma unroll
          for (int e = 0; e < kG; ++e) sum[e] += x * weight[i * c.out_c + e];
        }
      }
    }
    terms.apply(sum);
    const int at = (static_cast<int>(blockIdx.y) * c.out_h + first_row + row) * c.out_w + column;
    finish_channels<Element, kG>(p.epilogue, static_cast<std::size_t>(at), g * kG, c.out_c, sum);
  }
}

__device__ inline float warp_sum(float x) {
  for (int step = kWarp / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffU, x, step);
  return x;
}
__device__ inline float warp_largest(float x) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(0xffffffffU, x, step);
    x = other > x || isnan(other) ? other : x;
  }
  return x;
}

/// From the sum of a plane, of 8 bits that of the stored numbers.
template <class Element>
__device__ inline float mean_of(const Head& p, float sum) {
  if constexpr (std::is_same_v<Element, std::int8_t>) {
    sum = p.scale.scale * (sum - static_cast<float>(p.plane * p.scale.zero_point));
  }
  const float mean = sum / static_cast<float>(p.plane);
  if (!p.quantized) return mean;
  const Scale& s = p.mean_scale;
  return s.scale *
         (to_steps(mean, __frcp_rn(s.scale), s.zero_point) - static_cast<float>(s.zero_point));
}

/// A block an image.
template <class Element>
__global__ void __launch_bounds__(kHeadThreads)
    classify(const Head p, void* y, const void* x, const float* weights, const float* bias) {
  constexpr int kG = kLanes<Element>;
  __shared__ float parts[kHeadThreads * kG];
  __shared__ float means[kMostHeadChannels];
  __shared__ float scores[kMostHeadClasses];
  let_successor_begin();
  const int granules = p.stored_c / kG;
  const int strips = kHeadThreads / granules;
  const int g = threadIdx.x % granules;
  const int strip = threadIdx.x / granules;
  const auto* from =
      static_cast<const Element*>(x) + static_cast<std::size_t>(blockIdx.x) * p.plane * p.stored_c;
  float sum[kG] = {};
  wait_for_predecessor();
  for (int pixel = strip; strip < strips && pixel < p.plane; pixel += strips) {
    float numbers[kG];
    load_elements<Element>(numbers, from, static_cast<std::size_t>(pixel * granules + g) * kG);
#pragma unroll
    for (int e = 0; e < kG; ++e) sum[e] += numbers[e];
  }
  if (strip < strips) {
#pragma unroll
    for (int e = 0; e < kG; ++e) parts[strip * p.stored_c + g * kG + e] = sum[e];
  }
  __syncthreads();
  for (int c = threadIdx.x; c < p.used_c; c += kHeadThreads) {
    float total = 0;
    for (int s = 0; s < strips; ++s) total += parts[s * p.stored_c + c];
    means[c] = mean_of<Element>(p, total);
  }
  __syncthreads();
  const int lane = threadIdx.x % kWarp;
  for (int k = threadIdx.x / kWarp; k < p.classes; k += kHeadThreads / kWarp) {
    float score = 0;
    for (int c = lane; c < p.used_c; c += kWarp)
      score += means[c] * __ldg(weights + k * p.used_c + c);
    score = warp_sum(score);
    if (lane == 0) scores[k] = score + (bias == nullptr ? 0.F : __ldg(bias + k));
  }
  __syncthreads();
  if (threadIdx.x >= kWarp) return;
  float largest = -INFINITY;
  float total = 0;
  if (p.softmax) {
    for (int k = lane; k < p.classes; k += kWarp) {
      largest = scores[k] > largest || isnan(scores[k]) ? scores[k] : largest;
    }
    largest = warp_largest(largest);
    for (int k = lane; k < p.classes; k += kWarp) total += expf(scores[k] - largest);
    total = warp_sum(total);
  }
  for (int k = lane; k < p.classes; k += kWarp) {
    const float value = p.softmax ? expf(scores[k] - largest) / total : scores[k];
    store(y, p.result_type, static_cast<std::size_t>(blockIdx.x) * p.classes + k, value);
  }
}

}  // namespace

std::size_t stem_shared_bytes(const Stem& stem) {
  const Convolution& c = stem.shape;
  const StemTile tile = tile_of(stem);
  const std::size_t taps = static_cast<std::size_t>(c.kernel_h) * c.kernel_w * c.in_c;
  const std::size_t image = static_cast<std::size_t>(tile.in_rows) * c.in_w * c.in_c;
  return (taps * c.out_c + image) * sizeof(float);
}

cudaError_t launch_stem(const Stem& stem, const float* x, const float* weights,
                        const Epilogue& epilogue, const Launch& launch) {
  const StemParameters p{stem, tile_of(stem), x, weights, epilogue};
  const dim3 grid(static_cast<unsigned>(ceil_div(stem.shape.out_h, p.tile.rows)),
                  static_cast<unsigned>(stem.shape.batch));
  if (stem.quantized || stem.type == ElementType::kInt8) {
    return launch_kernel(convolve_stem<AnyElement>, grid, kStemThreads, stem_shared_bytes(stem),
                         launch, p);
  }
  return with_element(stem.type, [&](auto zero) {
    return launch_kernel(convolve_stem<decltype(zero)>, grid, kStemThreads, stem_shared_bytes(stem),
                         launch, p);
  });
}

cudaError_t launch_head(const Head& head, void* y, const void* x, const float* weights,
                        const float* bias, const Launch& launch) {
  return with_any_element(head.type, [&](auto zero) {
    return launch_kernel(classify<decltype(zero)>, dim3(static_cast<unsigned>(head.batch)),
                         kHeadThreads, 0, launch, head, y, x, weights, bias);
  });
}

}  // namespace hedge::cuda
