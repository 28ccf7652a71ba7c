// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution, pooling and bounds: each channel for itself, many channels at once.
#pragma once

#include "backends/cpu/kernels/nhwc/kernel_set.h"
#include "backends/cpu/kernels/nhwc/simd.h"

namespace hedge::cpu {
namespace {

/// The taps of a window that lie inside the plane.
struct Range {
  int first, last;
};

Range taps_inside(int start, int kernel, int dilation, int extent) {
  const int first = start < 0 ? (-start + dilation - 1) / dilation : 0;
  const int room = extent - start;
  const int last = room <= 0 ? 0 : (room + dilation - 1) / dilation;
  return {first, last < kernel ? last : kernel};
}

struct DepthwiseArguments {
  const float* first_row;  ///< The first of `rows`, at the plane's left edge.
  const float* weights;
  float* dst;
  const float* residual;
  int x;
  Range rows;  ///< Of the window, inside the plane.
};

int padded_channels(const Geometry& g) {
  return (g.channels + kLanes - 1) / kLanes * kLanes;
}

/// What a tile's loops need, by value: a store of a result could otherwise have changed it.
struct DepthwiseTile {
  const float* rows;     ///< The first row inside the plane, at the tile's first column.
  const float* weights;  ///< Of that row.
  const float* bias;
  const float* residual;
  const float* zeros;
  float* dst;
  std::ptrdiff_t channels, row_step, tap_step;
  int row_count, left, in_w;
  Vec low, high;
};

/// A vector of channels of some pixels side by side: each input column is read once for all pixels
/// that it serves. `there`: the channels, where they are fewer than a vector has.
template <int kPixels, int kKernel, int kStride, bool kInterior, bool kWhole>
HEDGE_INLINE void depthwise_channels(const DepthwiseTile& t, std::ptrdiff_t c, int there) {
  constexpr int kColumns = (kPixels - 1) * kStride + kKernel;
  Vec sum[kPixels];
  HEDGE_UNROLL
  for (int m = 0; m < kPixels; ++m) sum[m] = load(t.bias + c);
  const float* row = t.rows + c;
  const float* tap = t.weights + c;
  for (int i = 0; i < t.row_count; ++i, row += t.row_step, tap += kKernel * t.tap_step) {
    Vec w[kKernel];
    HEDGE_UNROLL
    for (int j = 0; j < kKernel; ++j) w[j] = load(tap + j * t.tap_step);
    HEDGE_UNROLL
    for (int column = 0; column < kColumns; ++column) {
      const bool inside = kInterior || (t.left + column >= 0 && t.left + column < t.in_w);
      const float* from = inside ? row + column * t.channels : t.zeros;
      Vec x = kWhole ? load(from) : load_some(from, there);
      keep(x);
      HEDGE_UNROLL
      for (int m = 0; m < kPixels; ++m) {
        const int j = column - m * kStride;
        if (j >= 0 && j < kKernel) sum[m] += x * w[j];
      }
    }
  }
  HEDGE_UNROLL
  for (int m = 0; m < kPixels; ++m) {
    const std::ptrdiff_t offset = m * t.channels + c;
    if (t.residual != nullptr) {
      sum[m] += kWhole ? load(t.residual + offset) : load_some(t.residual + offset, there);
    }
    if constexpr (kWhole) {
      store(t.dst + offset, bounded(sum[m], t.low, t.high));
    } else {
      store_some(t.dst + offset, bounded(sum[m], t.low, t.high), there);
    }
  }
}

template <int kPixels, int kKernel, int kStride, bool kInterior>
void depthwise_tile(const DepthwisePlan& plan, const DepthwiseArguments& at) {
  const Geometry& g = plan.geometry;
  const std::ptrdiff_t width = padded_channels(g);
  const int left = at.x * kStride - g.pad_left;
  const DepthwiseTile tile{
      .rows = at.first_row + static_cast<std::ptrdiff_t>(left) * g.channels,
      .weights = at.weights + (1 + at.rows.first * kKernel) * width,
      .bias = at.weights,
      .residual = at.residual,
      .zeros = plan.zeros,
      .dst = at.dst,
      .channels = g.channels,
      .row_step = static_cast<std::ptrdiff_t>(g.channels) * g.in_w * g.dilation_h,
      .tap_step = width,
      .row_count = at.rows.last - at.rows.first,
      .left = left,
      .in_w = g.in_w,
      .low = splat(plan.bounds.low),
      .high = splat(plan.bounds.high)};
  std::ptrdiff_t c = 0;
  for (; c + kLanes <= tile.channels; c += kLanes) {
    depthwise_channels<kPixels, kKernel, kStride, kInterior, true>(tile, c, kLanes);
  }
  if (c == tile.channels) return;
  depthwise_channels<kPixels, kKernel, kStride, kInterior, false>(
      tile, c, static_cast<int>(tile.channels - c));
}

/// One pixel, any window.
void depthwise_pixel(const DepthwisePlan& plan, const DepthwiseArguments& at) {
  const Geometry& g = plan.geometry;
  const std::ptrdiff_t width = padded_channels(g);
  const int left = at.x * g.stride_w - g.pad_left;
  const Range columns = taps_inside(left, g.kernel_w, g.dilation_w, g.in_w);
  for (int c = 0; c < g.channels; c += kLanes) {
    const int there = g.channels - c;
    Vec sum = load(at.weights + c);
    for (int i = at.rows.first; i < at.rows.last; ++i) {
      const std::ptrdiff_t row =
          static_cast<std::ptrdiff_t>((i - at.rows.first) * g.dilation_h) * g.in_w + left;
      for (int j = columns.first; j < columns.last; ++j) {
        const float* from = at.first_row + (row + j * g.dilation_w) * g.channels + c;
        const Vec x = there >= kLanes ? load(from) : load_some(from, there);
        sum += x * load(at.weights + (1 + i * g.kernel_w + j) * width + c);
      }
    }
    const int count = there < kLanes ? there : kLanes;
    if (at.residual != nullptr) sum += load_some(at.residual + c, count);
    store_some(at.dst + c, bounded(sum, splat(plan.bounds.low), splat(plan.bounds.high)), count);
  }
}

using DepthwiseFunction = void (*)(const DepthwisePlan&, const DepthwiseArguments&);
constexpr int kDepthwiseTile = 4;

/// By whether the tile is away from the padding, and by its pixels.
template <int kKernel, int kStride>
constexpr DepthwiseFunction kDepthwise[2][kDepthwiseTile] = {
    {depthwise_tile<1, kKernel, kStride, false>, depthwise_tile<2, kKernel, kStride, false>,
     depthwise_tile<3, kKernel, kStride, false>, depthwise_tile<4, kKernel, kStride, false>},
    {depthwise_tile<1, kKernel, kStride, true>, depthwise_tile<2, kKernel, kStride, true>,
     depthwise_tile<3, kKernel, kStride, true>, depthwise_tile<4, kKernel, kStride, true>}};
using DepthwiseTable = const DepthwiseFunction (*)[kDepthwiseTile];

/// Null where only the slow one fits.
DepthwiseTable find_depthwise(const Geometry& g) {
  if (g.dilation_w != 1) return nullptr;
  if (g.kernel_w == 3 && g.stride_w == 1) return kDepthwise<3, 1>;
  if (g.kernel_w == 3 && g.stride_w == 2) return kDepthwise<3, 2>;
  if (g.kernel_w == 5 && g.stride_w == 1) return kDepthwise<5, 1>;
  if (g.kernel_w == 5 && g.stride_w == 2) return kDepthwise<5, 2>;
  return nullptr;
}

void run_depthwise(const DepthwisePlan& plan, const ConvolutionBuffers& buffers, int first,
                   int last) {
  const Geometry& g = plan.geometry;
  const DepthwiseTable tiles = find_depthwise(g);
  for (int job = first; job < last; ++job) {
    const std::ptrdiff_t out_row = static_cast<std::ptrdiff_t>(job) * g.out_w * g.channels;
    DepthwiseArguments at;
    const int top = job % g.out_h * g.stride_h - g.pad_top;
    at.weights = buffers.weights;
    at.rows = taps_inside(top, g.kernel_h, g.dilation_h, g.in_h);
    const std::ptrdiff_t first_row =
        static_cast<std::ptrdiff_t>(job / g.out_h) * g.in_h + top + at.rows.first * g.dilation_h;
    at.first_row = buffers.src + first_row * g.in_w * g.channels;
    for (int x = 0; x < g.out_w;) {
      const std::ptrdiff_t offset = out_row + static_cast<std::ptrdiff_t>(x) * g.channels;
      at.x = x;
      at.dst = buffers.dst + offset;
      at.residual = buffers.residual == nullptr ? nullptr : buffers.residual + offset;
      if (tiles == nullptr) {
        depthwise_pixel(plan, at);
        ++x;
        continue;
      }
      const int pixels = g.out_w - x < kDepthwiseTile ? g.out_w - x : kDepthwiseTile;
      const int left = x * g.stride_w - g.pad_left;
      const bool interior = left >= 0 && left + (pixels - 1) * g.stride_w + g.kernel_w <= g.in_w;
      tiles[interior ? 1 : 0][pixels - 1](plan, at);
      x += pixels;
    }
  }
}

/// `kVectors` vectors of channels at one place: several, so that additions need not wait for each
/// other. `there`: channels, for the last vector of a pixel.
template <int kVectors, bool kLargest>
void pool_channels(const PoolPlan& plan, const float* from, Range rows, Range columns, float scale,
                   float* to, int there) {
  const Geometry& g = plan.geometry;
  const bool whole = there >= kVectors * kLanes;
  Vec sum[kVectors];
  for (Vec& s : sum) s = kLargest ? splat(-__builtin_huge_valf()) : Vec{};
  for (int i = rows.first; i < rows.last; ++i) {
    const float* pixel = from + static_cast<std::ptrdiff_t>(i * g.dilation_h) * g.in_w * g.channels;
    for (int j = columns.first; j < columns.last; ++j) {
      const float* at = pixel + static_cast<std::ptrdiff_t>(j * g.dilation_w) * g.channels;
      HEDGE_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const Vec x = whole ? load(at + v * kLanes) : load_some(at, there);
        sum[v] = kLargest ? larger(sum[v], x) : sum[v] + x;
      }
    }
  }
  HEDGE_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const Vec result = bounded(sum[v] * scale, splat(plan.bounds.low), splat(plan.bounds.high));
    if (whole) {
      store(to + v * kLanes, result);
    } else {
      store_some(to, result, there);
    }
  }
}

template <bool kLargest>
void pool_pixel(const PoolPlan& plan, const float* from, Range rows, Range columns, float scale,
                float* to) {
  int c = 0;
  for (; c + 4 * kLanes <= plan.geometry.channels; c += 4 * kLanes) {
    pool_channels<4, kLargest>(plan, from + c, rows, columns, scale, to + c, 4 * kLanes);
  }
  for (; c < plan.geometry.channels; c += kLanes) {
    pool_channels<1, kLargest>(plan, from + c, rows, columns, scale, to + c,
                               plan.geometry.channels - c);
  }
}

void run_pool(const PoolPlan& plan, const float* src, float* dst, int first, int last) {
  const Geometry& g = plan.geometry;
  for (int job = first; job < last; ++job) {
    const int top = job % g.out_h * g.stride_h - g.pad_top;
    const Range rows = taps_inside(top, g.kernel_h, g.dilation_h, g.in_h);
    const float* image =
        src + static_cast<std::ptrdiff_t>(job / g.out_h) * g.in_h * g.in_w * g.channels;
    for (int x = 0; x < g.out_w; ++x) {
      const int left = x * g.stride_w - g.pad_left;
      const Range columns = taps_inside(left, g.kernel_w, g.dilation_w, g.in_w);
      const float* from = image + (static_cast<std::ptrdiff_t>(top) * g.in_w + left) * g.channels;
      float* to = dst + (static_cast<std::ptrdiff_t>(job) * g.out_w + x) * g.channels;
      if (plan.largest) {
        pool_pixel<true>(plan, from, rows, columns, 1, to);
        continue;
      }
      int divisor = (rows.last - rows.first) * (columns.last - columns.first);
      if (plan.count_padding) {
        // A window may reach beyond the padding (ceil_mode): that part is not counted.
        divisor = taps_inside(0, g.kernel_h, g.dilation_h, plan.padded_h - top - g.pad_top).last *
                  taps_inside(0, g.kernel_w, g.dilation_w, plan.padded_w - left - g.pad_left).last;
      }
      pool_pixel<false>(plan, from, rows, columns, 1.F / static_cast<float>(divisor), to);
    }
  }
}

void run_clip(const float* src, float* dst, std::size_t count, Bounds bounds) {
  const Vec low = splat(bounds.low);
  const Vec high = splat(bounds.high);
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(dst + i, bounded(load(src + i), low, high));
  const int rest = static_cast<int>(count - i);
  if (rest > 0) store_some(dst + i, bounded(load_some(src + i, rest), low, high), rest);
}

}  // namespace
}  // namespace hedge::cpu
