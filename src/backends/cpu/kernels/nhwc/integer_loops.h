// SPDX-License-Identifier: Apache-2.0
// Convolutions in integers: bytes are widened to 16 bits once a layer, products are summed in 32.
#pragma once

#include "backends/cpu/kernels/nhwc/convolution_loops.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace hedge::cpu {
namespace {

using IVec = std::int32_t __attribute__((vector_size(sizeof(std::int32_t) * HEDGE_LANES)));

#if defined(__aarch64__)
constexpr bool kPairsInterleaved = false;
#else
constexpr bool kPairsInterleaved = true;
#endif

/// Products of pairs: an element holds two channels of 16 bits.
struct PairMath {
  using Element = std::int32_t;
  using Sum = IVec;
  using Plan = IntegerPlan;
  using Buffers = IntegerBuffers;
  static constexpr int kHeaderRows = 2;  ///< Factors and biases, which wait for the whole sum.

  static HEDGE_INLINE Sum begin(const Element* /*header*/) { return Sum{}; }
  static HEDGE_INLINE IVec load_weights(const Element* from) {
    IVec v;
    std::memcpy(&v, from, sizeof v);
    return v;
  }
  static HEDGE_INLINE void multiply_add(Sum& sum, Element x, IVec w) {
#if defined(__AVX512BW__) && HEDGE_LANES == 16
    sum += reinterpret_cast<IVec>(
        _mm512_madd_epi16(_mm512_set1_epi32(x), reinterpret_cast<__m512i>(w)));
#elif defined(__AVX2__) && HEDGE_LANES == 8
    sum += reinterpret_cast<IVec>(
        _mm256_madd_epi16(_mm256_set1_epi32(x), reinterpret_cast<__m256i>(w)));
#elif defined(__x86_64__) && HEDGE_LANES == 4
    sum += reinterpret_cast<IVec>(_mm_madd_epi16(_mm_set1_epi32(x), reinterpret_cast<__m128i>(w)));
#elif defined(__aarch64__)
    const int16x4_t pair = vreinterpret_s16_s32(vdup_n_s32(x));
    const int16x8_t weights = reinterpret_cast<int16x8_t>(w);
    int32x4_t total = reinterpret_cast<int32x4_t>(sum);
    total = vmlal_lane_s16(total, vget_low_s16(weights), pair, 0);
    total = vmlal_high_lane_s16(total, weights, pair, 1);
    sum = reinterpret_cast<IVec>(total);
#else
    const std::int32_t first = static_cast<std::int16_t>(x & 0xffff);
    sum += ((w << 16) >> 16) * first + (w >> 16) * (x >> 16);
#endif
  }
};

// ---- what happens to sums

using SByteVec = std::int8_t __attribute__((vector_size(HEDGE_LANES)));
using UByteVec = std::uint8_t __attribute__((vector_size(HEDGE_LANES)));

template <class Bytes>
HEDGE_INLINE Vec floats_of_bytes(const void* from, std::ptrdiff_t offset, int count) {
  Bytes bytes{};
  std::memcpy(&bytes, static_cast<const std::int8_t*>(from) + offset,
              static_cast<std::size_t>(count));
  return __builtin_convertvector(__builtin_convertvector(bytes, IVec), Vec);
}

/// The first `count` numbers of the residual, 1 to kLanes.
HEDGE_INLINE Vec load_numbers(Number number, const void* from, std::ptrdiff_t offset, int count) {
  if (number == Number::kInt8) return floats_of_bytes<SByteVec>(from, offset, count);
  if (number == Number::kUInt8) return floats_of_bytes<UByteVec>(from, offset, count);
  Vec v{};
  std::memcpy(&v, static_cast<const float*>(from) + offset,
              sizeof(float) * static_cast<std::size_t>(count));
  return v;
}

HEDGE_INLINE void store_numbers(Number number, void* to, std::ptrdiff_t offset, Vec v, int count,
                                std::int32_t zero_point) {
  if (number == Number::kFloat) {
    std::memcpy(static_cast<float*>(to) + offset, &v,
                sizeof(float) * static_cast<std::size_t>(count));
    return;
  }
  // Adding 1.5 * 2^23 leaves the rounded number (halves to even) in the low bits.
  constexpr float kMagic = 12582912;
  const Vec shifted = v + kMagic;
  IVec bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  const SByteVec bytes = __builtin_convertvector(bits + zero_point, SByteVec);
  std::memcpy(static_cast<std::int8_t*>(to) + offset, &bytes, static_cast<std::size_t>(count));
}

struct Requantized {
  const IntegerPlan& plan;
  const void* residual;
  void* dst;

  HEDGE_INLINE void store(IVec sum, Vec factor, Vec bias, std::ptrdiff_t offset, int count) const {
    Vec v = (__builtin_convertvector(sum, Vec) + bias) * factor;
    if (plan.residual != Number::kNone) {
      v += load_numbers(plan.residual, residual, offset, count) * plan.residual_scale;
    }
    v = bounded(v, splat(plan.bounds.low), splat(plan.bounds.high));
    store_numbers(plan.result, dst, offset, v, count, plan.zero_point);
  }
};

template <int kPixels, int kVectors>
void store_tile(const IntegerPlan& plan, const TileArguments<PairMath>& at,
                const Tile<PairMath, kPixels, kVectors>& tile) {
  constexpr int kStride = kVectors * kLanes;
  const Requantized result{plan, at.buffers->residual, at.buffers->dst};
  HEDGE_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const int there = at.channels - v * kLanes;
    if (there <= 0) continue;
    Vec factor;
    Vec bias;
    std::memcpy(&factor, at.weights + v * kLanes, sizeof factor);
    std::memcpy(&bias, at.weights + kStride + v * kLanes, sizeof bias);
    HEDGE_UNROLL
    for (int m = 0; m < kPixels; ++m) {
      const std::ptrdiff_t offset =
          at.out + static_cast<std::ptrdiff_t>(m) * plan.out_channels + v * kLanes;
      if (there >= kLanes) {
        result.store(tile.sum[m][v], factor, bias, offset, kLanes);
      } else {
        result.store(tile.sum[m][v], factor, bias, offset, there);
      }
    }
  }
}

void run_integer_convolution(const IntegerPlan& plan, const IntegerBuffers& buffers, int first,
                             int last) {
  convolve<PairMath>(plan, buffers, first, last);
}

/// Rows of the output number first .. last-1 of all images.
void run_integer_depthwise(const IntegerPlan& plan, const IntegerDepthwiseBuffers& buffers,
                           int first, int last) {
  using Short = std::int16_t __attribute__((vector_size(sizeof(std::int16_t) * HEDGE_LANES)));
  const auto load_shorts = [](const std::int16_t* from, int count) {
    Short v{};
    std::memcpy(&v, from, sizeof(std::int16_t) * static_cast<std::size_t>(count));
    return __builtin_convertvector(v, IVec);
  };
  const Geometry& g = plan.geometry;
  const Requantized result{plan, buffers.residual, buffers.dst};
  for (int row = first; row < last; ++row) {
    const std::ptrdiff_t image = row / g.out_h;
    const int top = row % g.out_h * g.stride_h - g.pad_top;
    for (int x = 0; x < g.out_w; ++x) {
      const int left = x * g.stride_w - g.pad_left;
      const std::ptrdiff_t out = (static_cast<std::ptrdiff_t>(row) * g.out_w + x) * g.channels;
      for (int c = 0; c < g.channels; c += kLanes) {
        const int count = g.channels - c < kLanes ? g.channels - c : kLanes;
        IVec sum{};
        for (int i = 0; i < g.kernel_h; ++i) {
          const int y = top + i * g.dilation_h;
          if (y < 0 || y >= g.in_h) continue;
          for (int j = 0; j < g.kernel_w; ++j) {
            const int column = left + j * g.dilation_w;
            if (column < 0 || column >= g.in_w) continue;
            const std::int16_t* pixel =
                buffers.src + ((image * g.in_h + y) * g.in_w + column) * g.channels + c;
            const std::int16_t* weights =
                buffers.weights + static_cast<std::ptrdiff_t>(i * g.kernel_w + j) * g.channels + c;
            if (count == kLanes) {
              sum += load_shorts(pixel, kLanes) * load_shorts(weights, kLanes);
            } else {
              sum += load_shorts(pixel, count) * load_shorts(weights, count);
            }
          }
        }
        if (count == kLanes) {
          result.store(sum, load(buffers.factors + c), load(buffers.bias + c), out + c, kLanes);
        } else {
          result.store(sum, load_some(buffers.factors + c, count),
                       load_some(buffers.bias + c, count), out + c, count);
        }
      }
    }
  }
}

template <class Stored>
HEDGE_INLINE void widen(const Widening& p, const Stored* src, std::int16_t* dst, std::int64_t first,
                        std::int64_t last) {
  const auto zero_point = static_cast<std::int16_t>(p.zero_point);
  if (p.channels == p.width) {
    for (std::int64_t i = first * p.width; i < last * p.width; ++i) {
      dst[i] = static_cast<std::int16_t>(src[i] - zero_point);
    }
    return;
  }
  for (std::int64_t i = first; i < last; ++i) {
    const Stored* from = src + i * p.channels;
    std::int16_t* to = dst + i * p.width;
    for (int c = 0; c < p.channels; ++c) to[c] = static_cast<std::int16_t>(from[c] - zero_point);
    for (int c = p.channels; c < p.width; ++c) to[c] = 0;
  }
}

void run_widen(const Widening& p, const void* src, std::int16_t* dst, std::int64_t first,
               std::int64_t last) {
  if (p.is_signed) {
    widen(p, static_cast<const std::int8_t*>(src), dst, first, last);
  } else {
    widen(p, static_cast<const std::uint8_t*>(src), dst, first, last);
  }
}

}  // namespace
}  // namespace hedge::cpu
