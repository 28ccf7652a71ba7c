// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/kernels/planes.h"

#include "backends/cuda/kernels/device.cuh"

namespace hedge::cuda {
namespace {

constexpr int kThreads = 128;

template <class Element>
inline constexpr bool kIsInteger = std::is_same_v<Element, std::int8_t>;

template <class Element>
__device__ inline void load_granule(float (&x)[kLanes<Element>], const void* from,
                                    std::size_t granule) {
  load_elements<Element>(x, from, granule * kLanes<Element>);
}

/// Sums of so many numbers (of 8 bits the stored ones) over n; the largest of some as a sum of one.
template <class Element>
__device__ inline void store_mean(const Pool& p, void* to, std::size_t granule,
                                  float (&x)[kLanes<Element>], int count, int n, int channel) {
  constexpr int kG = kLanes<Element>;
#pragma unroll
  for (int e = 0; e < kG; ++e) {
    if constexpr (kIsInteger<Element>) {
      x[e] = p.scale.scale * (x[e] - static_cast<float>(count * p.scale.zero_point));
    }
    if (n != 1) x[e] = n == 0 ? 0.F : x[e] / static_cast<float>(n);
    if (channel + e >= p.used_c) x[e] = 0;
  }
  if constexpr (kIsInteger<Element>) {
    store_together(to, p.result_type, p.result_scale, granule * kG, x);
  } else {
    store_elements<Element>(to, granule * kG, x);
  }
}

__device__ inline float largest(float a, float b) {
  return b > a || isnan(b) ? b : a;
}

/// A thread a granule of channels of a pixel of the result.
template <class Element>
__global__ void __launch_bounds__(kThreads) pool_windows(const Pool p, void* y, const void* x) {
  constexpr int kG = kLanes<Element>;
  let_successor_begin();
  const Convolution& c = p.shape;
  const int granules = c.out_c / kG;
  const int item = blockIdx.x * kThreads + threadIdx.x;
  wait_for_predecessor();
  if (item >= c.batch * c.out_h * c.out_w * granules) return;
  const int g = item % granules;
  const int pixel = item / granules;
  const int left = pixel % c.out_w * c.stride_w - c.pad_left;
  const int top = pixel / c.out_w % c.out_h * c.stride_h - c.pad_top;
  const int image = pixel / (c.out_w * c.out_h);
  float value[kG];
#pragma unroll
  for (int e = 0; e < kG; ++e) value[e] = p.op == PoolOp::kMax ? -INFINITY : 0.F;
  int inside = 0;
  int padded = 0;
  for (int ky = 0; ky < c.kernel_h; ++ky) {
    const int row = top + ky * c.dilation_h;
    if (row >= c.in_h + p.pad_bottom) break;  // Beyond the padding: ceil_mode.
    for (int kx = 0; kx < c.kernel_w; ++kx) {
      const int column = left + kx * c.dilation_w;
      if (column >= c.in_w + p.pad_right) break;
      ++padded;
      if (row < 0 || row >= c.in_h || column < 0 || column >= c.in_w) continue;
      ++inside;
      float from[kG];
      load_granule<Element>(
          from, x,
          (static_cast<std::size_t>(image * c.in_h + row) * c.in_w + column) * (c.in_c / kG) + g);
#pragma unroll
      for (int e = 0; e < kG; ++e) {
        value[e] = p.op == PoolOp::kMax ? largest(value[e], from[e]) : value[e] + from[e];
      }
    }
  }
  if (p.op == PoolOp::kMax) inside = 1;
  const int n = p.op == PoolOp::kMax ? 1 : p.op == PoolOp::kMeanInside ? inside : padded;
  store_mean<Element>(p, y, static_cast<std::size_t>(item), value, inside, n, g * kG);
}

/// The whole plane: a block a granule of channels of an image.
template <class Element>
__global__ void __launch_bounds__(kThreads) pool_planes(const Pool p, void* y, const void* x) {
  constexpr int kG = kLanes<Element>;
  __shared__ float parts[kThreads / kWarp][kG];
  let_successor_begin();
  const Convolution& c = p.shape;
  const int granules = c.out_c / kG;
  const int g = blockIdx.x % granules;
  const int image = blockIdx.x / granules;
  const int plane = c.in_h * c.in_w;
  const bool is_max = p.op == PoolOp::kMax;
  float value[kG];
#pragma unroll
  for (int e = 0; e < kG; ++e) value[e] = is_max ? -INFINITY : 0.F;
  wait_for_predecessor();
  for (int pixel = threadIdx.x; pixel < plane; pixel += kThreads) {
    float from[kG];
    load_granule<Element>(from, x,
                          (static_cast<std::size_t>(image) * plane + pixel) * (c.in_c / kG) + g);
#pragma unroll
    for (int e = 0; e < kG; ++e)
      value[e] = is_max ? largest(value[e], from[e]) : value[e] + from[e];
  }
#pragma unroll
  for (int e = 0; e < kG; ++e) {
    for (int step = kWarp / 2; step > 0; step /= 2) {
      const float other = __shfl_xor_sync(0xffffffffU, value[e], step);
      value[e] = is_max ? largest(value[e], other) : value[e] + other;
    }
    if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp][e] = value[e];
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
#pragma unroll
  for (int e = 0; e < kG; ++e) {
    float total = parts[0][e];
    for (int w = 1; w < kThreads / kWarp; ++w) {
      total = is_max ? largest(total, parts[w][e]) : total + parts[w][e];
    }
    value[e] = total;
  }
  store_mean<Element>(p, y, static_cast<std::size_t>(blockIdx.x), value, is_max ? 1 : plane,
                      is_max ? 1 : plane, g * kG);
}

struct GroupedParameters {
  GroupedConvolution convolution;
  const void* x = nullptr;
  const void* weights = nullptr;
  Epilogue epilogue;
};

/// Sums of bytes are exact.
template <class Element>
using SumOf = std::conditional_t<kIsInteger<Element>, int, float>;
template <class Element>
using StoredOf = std::conditional_t<kIsInteger<Element>, AnyElement, Element>;

/// Of a granule or an element.
template <class Element, class Raw>
__device__ inline SumOf<Element> number(const Raw& raw, int e) {
  const Element x = reinterpret_cast<const Element*>(&raw)[e];
  if constexpr (kIsInteger<Element>) {
    return static_cast<int>(x);
  } else {
    return to_float(x);
  }
}

/// What lies beside the plane: the zero point, which sums take off by what they begin with.
template <class Raw>
__device__ inline Raw beside(int zero_point) {
  const std::uint32_t word = 0x01010101U * static_cast<std::uint8_t>(zero_point);
  if constexpr (std::is_same_v<Raw, uint4>) {
    return {word, word, word, word};
  } else {
    return {word, word};
  }
}

template <class Element, int kG>
__device__ inline void begin_sums(const GroupedParameters& p, int channel, bool there,
                                  SumOf<Element> (&sum)[kG]) {
#pragma unroll
  for (int e = 0; e < kG; ++e) {
    sum[e] = 0;
    if constexpr (kIsInteger<Element>) {
      const auto* first =
          reinterpret_cast<const int*>(p.epilogue.factors + p.convolution.shape.out_c);
      if (there) sum[e] = __ldg(first + channel + e);
    }
  }
}

template <class Element, int kG>
__device__ inline void finish_sums(const GroupedParameters& p, int pixel, int channel,
                                   const SumOf<Element> (&sum)[kG],
                                   const ChannelTerms<StoredOf<Element>, kG>& terms) {
  float x[kG];
#pragma unroll
  for (int e = 0; e < kG; ++e) x[e] = static_cast<float>(sum[e]);
  terms.apply(x);
  finish_channels<StoredOf<Element>, kG>(p.epilogue, static_cast<std::size_t>(pixel), channel,
                                         p.convolution.shape.out_c, x);
}

/// A granule as it is loaded.
template <class Element>
using RawOf = std::conditional_t<kLanes<Element> * sizeof(Element) == kGranuleBytes, uint4, uint2>;

/// One input channel an output channel: a thread a granule of them.
template <class Element>
__global__ void __launch_bounds__(kThreads) convolve_depthwise(const GroupedParameters p) {
  constexpr int kG = kLanes<Element>;
  using Raw = RawOf<Element>;
  let_successor_begin();
  const Convolution& c = p.convolution.shape;
  const int granules = c.out_c / kG;
  const int item = blockIdx.x * kThreads + threadIdx.x;
  const bool works = item < c.batch * c.out_h * c.out_w * granules;
  const int g = item % granules;
  const ChannelTerms<StoredOf<Element>, kG> terms(p.epilogue, g * kG, works);
  SumOf<Element> sum[kG];
  begin_sums<Element>(p, g * kG, works, sum);
  wait_for_predecessor();
  if (!works) return;
  const int pixel = item / granules;
  const int left = pixel % c.out_w * c.stride_w - c.pad_left;
  const int top = pixel / c.out_w % c.out_h * c.stride_h - c.pad_top;
  const int image = pixel / (c.out_w * c.out_h);
  for (int ky = 0; ky < c.kernel_h; ++ky) {
    const int row = top + ky * c.dilation_h;
    for (int kx = 0; kx < c.kernel_w; ++kx) {
      const int column = left + kx * c.dilation_w;
      const bool inside = row >= 0 && row < c.in_h && column >= 0 && column < c.in_w;
      const std::size_t at =
          (static_cast<std::size_t>(image * c.in_h + row) * c.in_w + column) * (c.in_c / kG) + g;
      const Raw from =
          inside ? static_cast<const Raw*>(p.x)[at] : beside<Raw>(p.convolution.zero_point);
      const Raw weight = __ldg(static_cast<const Raw*>(p.weights) +
                               static_cast<std::size_t>(ky * c.kernel_w + kx) * granules + g);
#pragma unroll
      for (int e = 0; e < kG; ++e) sum[e] += number<Element>(from, e) * number<Element>(weight, e);
    }
  }
  finish_sums<Element>(p, pixel, g * kG, sum, terms);
}

/// The same for the usual window of 3x3: all loads under way at once, the weights' before the
/// predecessor has ended.
template <class Element>
__global__ void __launch_bounds__(kThreads) convolve_depthwise_3x3(const GroupedParameters p) {
  constexpr int kG = kLanes<Element>;
  constexpr int kTaps = 9;
  using Raw = RawOf<Element>;
  let_successor_begin();
  const Convolution& c = p.convolution.shape;
  const int granules = c.out_c / kG;
  const int item = blockIdx.x * kThreads + threadIdx.x;
  const bool works = item < c.batch * c.out_h * c.out_w * granules;
  const int g = item % granules;
  const int pixel = item / granules;
  const int left = pixel % c.out_w * c.stride_w - c.pad_left;
  const int top = pixel / c.out_w % c.out_h * c.stride_h - c.pad_top;
  const int image = pixel / (c.out_w * c.out_h);
  const auto* input = static_cast<const Raw*>(p.x);
  Raw weights[kTaps], from[kTaps];
#pragma unroll
  for (int t = 0; t < kTaps; ++t) {
    weights[t] = works ? __ldg(static_cast<const Raw*>(p.weights) + t * granules + g) : Raw{};
  }
  const ChannelTerms<StoredOf<Element>, kG> terms(p.epilogue, g * kG, works);
  SumOf<Element> sum[kG];
  begin_sums<Element>(p, g * kG, works, sum);
  wait_for_predecessor();
  if (!works) return;
#pragma unroll
  for (int t = 0; t < kTaps; ++t) {
    const int row = top + t / 3 * c.dilation_h;
    const int column = left + t % 3 * c.dilation_w;
    const bool inside = row >= 0 && row < c.in_h && column >= 0 && column < c.in_w;
    const std::size_t at =
        (static_cast<std::size_t>(image * c.in_h + row) * c.in_w + column) * (c.in_c / kG) + g;
    from[t] = inside ? input[at] : beside<Raw>(p.convolution.zero_point);
  }
#pragma unroll
  for (int t = 0; t < kTaps; ++t) {
#pragma unroll
    for (int e = 0; e < kG; ++e) {
      sum[e] += number<Element>(from[t], e) * number<Element>(weights[t], e);
    }
  }
  finish_sums<Element>(p, pixel, g * kG, sum, terms);
}

/// Any groups: a thread an output channel of a pixel.
template <class Element>
__global__ void __launch_bounds__(kThreads) convolve_groups(const GroupedParameters p) {
  let_successor_begin();
  const Convolution& c = p.convolution.shape;
  const int item = blockIdx.x * kThreads + threadIdx.x;
  wait_for_predecessor();
  if (item >= c.batch * c.out_h * c.out_w * c.out_c) return;
  const int channel = item % c.out_c;
  const int pixel = item / c.out_c;
  const int left = pixel % c.out_w * c.stride_w - c.pad_left;
  const int top = pixel / c.out_w % c.out_h * c.stride_h - c.pad_top;
  const int image = pixel / (c.out_w * c.out_h);
  const int first = channel / p.convolution.group_out * p.convolution.group_in;
  const ChannelTerms<StoredOf<Element>, 1> terms(p.epilogue, channel);
  SumOf<Element> sum[1] = {};
  const bool used = channel < p.epilogue.used_c;  // Filling has no group.
  for (int ky = 0; used && ky < c.kernel_h; ++ky) {
    const int row = top + ky * c.dilation_h;
    if (row < 0 || row >= c.in_h) continue;
    for (int kx = 0; kx < c.kernel_w; ++kx) {
      const int column = left + kx * c.dilation_w;
      if (column < 0 || column >= c.in_w) continue;
      const Element* from =
          static_cast<const Element*>(p.x) +
          (static_cast<std::size_t>(image * c.in_h + row) * c.in_w + column) * c.in_c + first;
      const Element* weight =
          static_cast<const Element*>(p.weights) +
          static_cast<std::size_t>(ky * c.kernel_w + kx) * p.convolution.group_in * c.out_c +
          channel;
      for (int i = 0; i < p.convolution.group_in; ++i) {
        sum[0] +=
            (number<Element>(from[i], 0) - static_cast<SumOf<Element>>(p.convolution.zero_point)) *
            number<Element>(weight[static_cast<std::size_t>(i) * c.out_c], 0);
      }
    }
  }
  finish_sums<Element>(p, pixel, channel, sum, terms);
}

__global__ void __launch_bounds__(kThreads) normalize_locally(const Lrn p, void* y, const void* x) {
  let_successor_begin();
  const int item = blockIdx.x * kThreads + threadIdx.x;
  wait_for_predecessor();
  if (item >= p.pixels * p.stored_c) return;
  const int channel = item % p.stored_c;
  if (channel >= p.used_c) {
    store(y, p.type, static_cast<std::size_t>(item), 0.F);
    return;
  }
  const int first = max(channel - (p.size - 1) / 2, 0);
  const int last = min(channel + p.size / 2, p.used_c - 1);
  float sum = 0;
  for (int i = first; i <= last; ++i) {
    const float v = load(x, p.type, static_cast<std::size_t>(item - channel + i));
    sum += v * v;
  }
  const float value = load(x, p.type, static_cast<std::size_t>(item));
  store(y, p.type, static_cast<std::size_t>(item),
        value / powf(p.bias + p.alpha / static_cast<float>(p.size) * sum, p.beta));
}

dim3 blocks_for(int items) {
  return dim3(static_cast<unsigned>(ceil_div(items, kThreads)));
}

}  // namespace

cudaError_t launch_pool(const Pool& pool, void* y, const void* x, const Launch& launch) {
  const Convolution& c = pool.shape;
  const bool whole = c.out_h == 1 && c.out_w == 1 && c.kernel_h == c.in_h && c.kernel_w == c.in_w &&
                     c.pad_top == 0 && c.pad_left == 0 && c.dilation_h == 1 && c.dilation_w == 1;
  return with_any_element(pool.type, [&](auto zero) {
    using Element = decltype(zero);
    const int granules = c.out_c / kLanes<Element>;
    const dim3 grid =
        whole ? dim3(static_cast<unsigned>(c.batch * granules)) : blocks_for(c.pixels() * granules);
    return launch_kernel(whole ? pool_planes<Element> : pool_windows<Element>, grid, kThreads, 0,
                         launch, pool, y, x);
  });
}

cudaError_t launch_grouped(const GroupedConvolution& convolution, const void* x,
                           const void* weights, const Epilogue& epilogue, const Launch& launch) {
  const GroupedParameters p{convolution, x, weights, epilogue};
  const bool depthwise = convolution.group_in == 1 && convolution.group_out == 1;
  return with_any_element(convolution.type, [&](auto zero) {
    using Element = decltype(zero);
    const int items = convolution.shape.pixels() * convolution.shape.out_c;
    const bool usual = convolution.shape.kernel_h == 3 && convolution.shape.kernel_w == 3;
    auto* kernel = !depthwise ? convolve_groups<Element>
                   : usual    ? convolve_depthwise_3x3<Element>
                              : convolve_depthwise<Element>;
    return launch_kernel(kernel, blocks_for(depthwise ? items / kLanes<Element> : items), kThreads,
                         0, launch, p);
  });
}

cudaError_t launch_lrn(const Lrn& lrn, void* y, const void* x, const Launch& launch) {
  return launch_kernel(normalize_locally, blocks_for(lrn.pixels * lrn.stored_c), kThreads, 0,
                       launch, lrn, y, x);
}

}  // namespace hedge::cuda
