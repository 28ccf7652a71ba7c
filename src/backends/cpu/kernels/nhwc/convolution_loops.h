// SPDX-License-Identifier: Apache-2.0
// The convolution as a product of matrices that is never laid out: for each tap, a tile of output
// pixels reads its input pixels where they are, and padding reads a row of zeros. (Dukhan, The
// Indirect Convolution Algorithm, 2019, which XNNPACK calls IGEMM; here the addresses are computed
// for each tile and tap instead of being stored for each context.)
#pragma once

#include <type_traits>
#include <utility>

#include "backends/cpu/kernels/nhwc/kernel_set.h"
#include "backends/cpu/kernels/nhwc/simd.h"

namespace hedge::cpu {
namespace {

/// The pixels of a tile for one tap. Four share a pointer: x86 has few registers, and its addresses
/// add 1, 2, 4 or 8 times a register for nothing.
template <class Element, int kPixels>
struct EvenRows {
  const Element* base[(kPixels + 3) / 4];
  std::ptrdiff_t step;
  std::ptrdiff_t step3;

  EvenRows(const Element* first, std::ptrdiff_t distance) : step(distance), step3(3 * distance) {
    HEDGE_UNROLL
    for (int i = 0; i < (kPixels + 3) / 4; ++i) base[i] = first + 4 * i * distance;
  }
  HEDGE_INLINE const Element* at(int m) const {
    const int i = m % 4;
    return base[m / 4] + (i == 3 ? step3 : i * step);
  }
  HEDGE_INLINE void advance(int channels) {
    HEDGE_UNROLL
    for (int i = 0; i < (kPixels + 3) / 4; ++i) base[i] += channels;
  }
};

/// The same where some pixels are padding.
template <class Element, int kPixels>
struct AnyRows {
  const Element* pixel[kPixels];

  HEDGE_INLINE const Element* at(int m) const { return pixel[m]; }
  HEDGE_INLINE void advance(int channels) {
    HEDGE_UNROLL
    for (int m = 0; m < kPixels; ++m) pixel[m] += channels;
  }
};

/// What a sum is made of. An element is what one lane holds; sums begin at a row of each block's
/// weights, if kHeaderRows is 1.
struct FloatMath {
  using Element = float;
  using Sum = Vec;
  using Plan = ConvolutionPlan;
  using Buffers = ConvolutionBuffers;
  static constexpr int kHeaderRows = 1;  ///< The bias.

  static HEDGE_INLINE Sum begin(const Element* header) { return load(header); }
  static HEDGE_INLINE Element read(const Element* from) { return *from; }
  static HEDGE_INLINE Vec load_weights(const Element* from) { return load(from); }
  static HEDGE_INLINE void multiply_add(Sum& sum, Element x, Vec w) { sum += x * w; }
};

template <class Math, int kPixels, int kVectors>
struct Tile {
  typename Math::Sum sum[kPixels][kVectors];
};

#if defined(__aarch64__)
/// Four channels at once: NEON multiplies by one lane of a vector.
template <int kLane, int kPixels, int kVectors>
HEDGE_INLINE void multiply_lane(Tile<FloatMath, kPixels, kVectors>& tile,
                                const Vec (&pixels)[kPixels], const float* weights) {
  Vec w[kVectors];
  HEDGE_UNROLL
  for (int v = 0; v < kVectors; ++v) w[v] = load(weights + v * kLanes);
  HEDGE_UNROLL
  for (int m = 0; m < kPixels; ++m) {
    HEDGE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      tile.sum[m][v] = vfmaq_laneq_f32(tile.sum[m][v], w[v], pixels[m], kLane);
    }
  }
}
#endif

template <class Math, int kPixels, int kVectors, class Rows>
HEDGE_INLINE void accumulate(Tile<Math, kPixels, kVectors>& tile, Rows rows,
                             const typename Math::Element* weights, int channels) {
  constexpr int kStride = kVectors * kLanes;
  int k = 0;
#if defined(__aarch64__)
  if constexpr (std::is_same_v<Math, FloatMath>) {
    for (; k + 4 <= channels; k += 4, weights += 4 * kStride) {
      Vec pixels[kPixels];
      HEDGE_UNROLL
      for (int m = 0; m < kPixels; ++m) pixels[m] = load(rows.at(m));
      rows.advance(4);
      multiply_lane<0>(tile, pixels, weights);
      multiply_lane<1>(tile, pixels, weights + kStride);
      multiply_lane<2>(tile, pixels, weights + 2 * kStride);
      multiply_lane<3>(tile, pixels, weights + 3 * kStride);
    }
  }
#endif
  for (; k < channels; ++k, weights += kStride) {
    decltype(Math::load_weights(weights)) w[kVectors];
    HEDGE_UNROLL
    for (int v = 0; v < kVectors; ++v) w[v] = Math::load_weights(weights + v * kLanes);
    HEDGE_UNROLL
    for (int m = 0; m < kPixels; ++m) {
      const typename Math::Element x = Math::read(rows.at(m));
      HEDGE_UNROLL
      for (int v = 0; v < kVectors; ++v) Math::multiply_add(tile.sum[m][v], x, w[v]);
    }
    rows.advance(1);
  }
}

/// One or two pixels alone keep the arithmetic waiting for its own results; so four sums each.
template <class Math, int kPixels, int kVectors>
HEDGE_INLINE void accumulate_few(Tile<Math, kPixels, kVectors>& tile,
                                 const typename Math::Element* first, std::ptrdiff_t step,
                                 const typename Math::Element* weights, int channels) {
  constexpr int kStride = kVectors * kLanes;
  constexpr int kSplit = 4;
  Tile<Math, kPixels, kVectors> parts[kSplit] = {};
  int k = 0;
  for (; k + kSplit <= channels; k += kSplit, weights += kSplit * kStride) {
    HEDGE_UNROLL
    for (int s = 0; s < kSplit; ++s) {
      HEDGE_UNROLL
      for (int m = 0; m < kPixels; ++m) {
        const typename Math::Element x = Math::read(first + m * step + k + s);
        HEDGE_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          Math::multiply_add(parts[s].sum[m][v], x,
                             Math::load_weights(weights + s * kStride + v * kLanes));
        }
      }
    }
  }
  HEDGE_UNROLL
  for (int m = 0; m < kPixels; ++m) {
    HEDGE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      tile.sum[m][v] +=
          (parts[0].sum[m][v] + parts[1].sum[m][v]) + (parts[2].sum[m][v] + parts[3].sum[m][v]);
    }
  }
  const EvenRows<typename Math::Element, kPixels> rest(first + k, step);
  accumulate(tile, rest, weights, channels - k);
}

template <class Math, int kPixels, int kVectors>
HEDGE_INLINE void accumulate_even(Tile<Math, kPixels, kVectors>& tile,
                                  const typename Math::Element* first, std::ptrdiff_t step,
                                  const typename Math::Element* weights, int channels) {
  if constexpr (kPixels * kVectors <= 2) {
    accumulate_few(tile, first, step, weights, channels);
  } else {
    accumulate(tile, EvenRows<typename Math::Element, kPixels>(first, step), weights, channels);
  }
}

/// One tile of one block, all taps.
template <class Math>
struct TileArguments {
  const typename Math::Buffers* buffers;
  const typename Math::Element* image;    ///< Its first pixel's first channel of the group.
  const typename Math::Element* weights;  ///< Of the block: header first.
  std::ptrdiff_t out;  ///< Where the first pixel's first channel of the block is in the result.
  int channels;        ///< Output channels that are there, of the block.
  int x, y;            ///< The first output pixel.
};

template <int kPixels, int kVectors>
void store_tile(const ConvolutionPlan& plan, const TileArguments<FloatMath>& at,
                const Tile<FloatMath, kPixels, kVectors>& tile) {
  const Vec low = splat(plan.bounds.low);
  const Vec high = splat(plan.bounds.high);
  const float* residual = at.buffers->residual;
  float* dst = at.buffers->dst;
  HEDGE_UNROLL
  for (int m = 0; m < kPixels; ++m) {
    const std::ptrdiff_t pixel = at.out + static_cast<std::ptrdiff_t>(m) * plan.out_channels;
    HEDGE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const std::ptrdiff_t offset = pixel + v * kLanes;
      const int there = at.channels - v * kLanes;
      Vec sum = tile.sum[m][v];
      if (there >= kLanes) {
        if (residual != nullptr) sum += load(residual + offset);
        store(dst + offset, bounded(sum, low, high));
      } else if (there > 0) {
        if (residual != nullptr) sum += load_some(residual + offset, there);
        store_some(dst + offset, bounded(sum, low, high), there);
      }
    }
  }
}

template <class Math, int kPixels, int kVectors>
void convolve_tile(const typename Math::Plan& plan, const TileArguments<Math>& at) {
  using Element = typename Math::Element;
  const Geometry& g = plan.geometry;
  const int channels = g.channels / plan.groups;
  const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(g.stride_w) * g.channels;
  const std::ptrdiff_t tap_weights = static_cast<std::ptrdiff_t>(channels) * kVectors * kLanes;
  const int x = at.x * g.stride_w - g.pad_left;
  // Neighbouring taps lie side by side in memory, too: one long run instead of several.
  const bool whole_rows = plan.groups == 1 && g.dilation_w == 1 && x >= 0 &&
                          x + g.kernel_w - 1 + (kPixels - 1) * g.stride_w < g.in_w;
  Tile<Math, kPixels, kVectors> tile;
  HEDGE_UNROLL
  for (int m = 0; m < kPixels; ++m) {
    HEDGE_UNROLL
    for (int v = 0; v < kVectors; ++v) tile.sum[m][v] = Math::begin(at.weights + v * kLanes);
  }
  const Element* weights = at.weights + Math::kHeaderRows * kVectors * kLanes;
  for (int i = 0; i < g.kernel_h; ++i) {
    const int y = at.y * g.stride_h - g.pad_top + i * g.dilation_h;
    if (y < 0 || y >= g.in_h) continue;
    const Element* row = at.image + static_cast<std::ptrdiff_t>(y) * g.in_w * g.channels;
    const Element* tap = weights + i * g.kernel_w * tap_weights;
    if (whole_rows) {
      accumulate_even(tile, row + static_cast<std::ptrdiff_t>(x) * g.channels, step, tap,
                      channels * g.kernel_w);
      continue;
    }
    for (int j = 0; j < g.kernel_w; ++j, tap += tap_weights) {
      const int left = x + j * g.dilation_w;
      if (left >= 0 && left + (kPixels - 1) * g.stride_w < g.in_w) {
        accumulate_even(tile, row + static_cast<std::ptrdiff_t>(left) * g.channels, step, tap,
                        channels);
        continue;
      }
      AnyRows<Element, kPixels> rows;
      for (int m = 0; m < kPixels; ++m) {
        const int column = left + m * g.stride_w;
        rows.pixel[m] = column >= 0 && column < g.in_w
                            ? row + static_cast<std::ptrdiff_t>(column) * g.channels
                            : static_cast<const Element*>(plan.zeros);
      }
      accumulate(tile, rows, tap, channels);
    }
  }
  store_tile(plan, at, tile);
}

template <class Math>
using TileFunction = void (*)(const typename Math::Plan&, const TileArguments<Math>&);
// Sums, weights and pixels of a tile must fit into the registers.
constexpr int kWidest[2] = {HEDGE_WIDEST_TILE_1, HEDGE_WIDEST_TILE_2};

template <class Math, int kVectors, class Indices>
struct TileTable;
template <class Math, int kVectors, int... kIndices>
struct TileTable<Math, kVectors, std::integer_sequence<int, kIndices...>> {
  static constexpr TileFunction<Math> kFunctions[] = {
      convolve_tile<Math, kIndices + 1, kVectors>...};
};

template <class Math>
TileFunction<Math> find_tile(int pixels, int vectors) {
  using One = TileTable<Math, 1, std::make_integer_sequence<int, kWidest[0]>>;
  using Two = TileTable<Math, 2, std::make_integer_sequence<int, kWidest[1]>>;
  return vectors == 2 ? Two::kFunctions[pixels - 1] : One::kFunctions[pixels - 1];
}

template <class Math>
void convolve(const typename Math::Plan& plan, const typename Math::Buffers& buffers, int first,
              int last) {
  const Geometry& g = plan.geometry;
  const int group_in = g.channels / plan.groups;
  const int group_out = plan.out_channels / plan.groups;
  const int block = plan.vectors * kLanes;
  const int blocks = (group_out + block - 1) / block;
  const int parts = (plan.tiles + plan.tiles_a_job - 1) / plan.tiles_a_job;  // Of a row.
  const int rows = g.batch * g.out_h * parts;
  const std::ptrdiff_t block_weights =
      static_cast<std::ptrdiff_t>(Math::kHeaderRows + g.kernel_h * g.kernel_w * group_in) * block;
  for (int job = first; job < last; ++job) {
    const int row = plan.rows_first ? job / (plan.groups * blocks) : job % rows;
    const int slice = plan.rows_first ? job % (plan.groups * blocks) : job / rows;
    const int group = slice / blocks;
    const int channel = slice % blocks * block;  // Within the group.
    const int y = row / parts % g.out_h;
    const std::ptrdiff_t image = row / parts / g.out_h;
    const std::ptrdiff_t out_row =
        (image * g.out_h + y) * g.out_w * plan.out_channels + group * group_out + channel;
    TileArguments<Math> at;
    at.buffers = &buffers;
    at.image = buffers.src + image * g.in_h * g.in_w * g.channels + group * group_in;
    at.weights = buffers.weights + slice * block_weights;
    at.channels = group_out - channel;
    // A second vector without a channel would be computed for nothing.
    const int vectors = at.channels > kLanes ? plan.vectors : 1;
    at.y = y;
    const int first_tile = row % parts * plan.tiles_a_job;
    const int last_tile =
        first_tile + plan.tiles_a_job < plan.tiles ? first_tile + plan.tiles_a_job : plan.tiles;
    for (int t = first_tile; t < last_tile; ++t) {
      at.x = static_cast<int>(static_cast<std::int64_t>(t) * g.out_w / plan.tiles);
      const int end = static_cast<int>(static_cast<std::int64_t>(t + 1) * g.out_w / plan.tiles);
      at.out = out_row + static_cast<std::ptrdiff_t>(at.x) * plan.out_channels;
      find_tile<Math>(end - at.x, vectors)(plan, at);
    }
  }
}

void run_convolution(const ConvolutionPlan& plan, const ConvolutionBuffers& buffers, int first,
                     int last) {
  convolve<FloatMath>(plan, buffers, first, last);
}

}  // namespace
}  // namespace hedge::cpu
