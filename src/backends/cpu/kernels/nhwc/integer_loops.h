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
  /// Two numbers of 16 bits as one.
  static HEDGE_INLINE Element read(const Element* from) {
    Element x;
    std::memcpy(&x, from, sizeof x);
    return x;
  }
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

// By hand, because compilers take short vectors of bytes apart, element by element. (They do well
// with AVX-512.)

template <class Bytes>
HEDGE_INLINE IVec integers_of(Bytes bytes) {
  [[maybe_unused]] constexpr bool kSigned = std::is_same_v<Bytes, SByteVec>;
#if defined(__AVX2__) && HEDGE_LANES == 8
  std::int64_t bits;
  std::memcpy(&bits, &bytes, sizeof bits);
  const __m128i x = _mm_cvtsi64_si128(bits);
  return reinterpret_cast<IVec>(kSigned ? _mm256_cvtepi8_epi32(x) : _mm256_cvtepu8_epi32(x));
#elif defined(__aarch64__)
  std::uint32_t bits;
  std::memcpy(&bits, &bytes, sizeof bits);
  const uint8x8_t x = vreinterpret_u8_u32(vdup_n_u32(bits));
  if constexpr (kSigned) {
    return reinterpret_cast<IVec>(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(x)))));
  }
  return reinterpret_cast<IVec>(vmovl_u16(vget_low_u16(vmovl_u8(x))));
#else
  return __builtin_convertvector(bytes, IVec);
#endif
}

/// The lowest byte of each.
HEDGE_INLINE SByteVec lowest_bytes(IVec v) {
#if defined(__AVX2__) && HEDGE_LANES == 8
  const __m256i every_fourth = _mm256_set1_epi32(0x0c080400);
  const __m256i quarters = _mm256_shuffle_epi8(reinterpret_cast<__m256i>(v), every_fourth);
  const __m128i both =
      _mm_unpacklo_epi32(_mm256_castsi256_si128(quarters), _mm256_extracti128_si256(quarters, 1));
  const std::int64_t bits = _mm_cvtsi128_si64(both);
  SByteVec bytes;
  std::memcpy(&bytes, &bits, sizeof bytes);
  return bytes;
#elif defined(__x86_64__) && HEDGE_LANES == 4
  const __m128i low = _mm_and_si128(reinterpret_cast<__m128i>(v), _mm_set1_epi32(0xff));
  const __m128i shorts = _mm_packs_epi32(low, low);
  const std::int32_t bits = _mm_cvtsi128_si32(_mm_packus_epi16(shorts, shorts));
  SByteVec bytes;
  std::memcpy(&bytes, &bits, sizeof bytes);
  return bytes;
#elif defined(__aarch64__)
  const int16x4_t shorts = vmovn_s32(reinterpret_cast<int32x4_t>(v));
  const std::int32_t bits =
      vget_lane_s32(vreinterpret_s32_s8(vmovn_s16(vcombine_s16(shorts, shorts))), 0);
  SByteVec bytes;
  std::memcpy(&bytes, &bits, sizeof bytes);
  return bytes;
#else
  return __builtin_convertvector(v, SByteVec);
#endif
}

template <class Bytes>
HEDGE_INLINE Vec floats_of_bytes(const void* from, std::ptrdiff_t offset, int count) {
  Bytes bytes{};
  std::memcpy(&bytes, static_cast<const std::int8_t*>(from) + offset,
              static_cast<std::size_t>(count));
  return __builtin_convertvector(integers_of(bytes), Vec);
}

/// What becomes of sums. By value: a store of a result could otherwise have changed it.
struct Requantized {
  Number result, residual_number;
  std::int32_t zero_point;
  Vec low, high, residual_scale;
  const void* residual;
  void* dst;

  HEDGE_INLINE Requantized(const IntegerPlan& plan, const void* from, void* to)
      : result(plan.result),
        residual_number(plan.residual),
        zero_point(plan.zero_point),
        low(splat(plan.bounds.low)),
        high(splat(plan.bounds.high)),
        residual_scale(splat(plan.residual_scale)),
        residual(from),
        dst(to) {}

  /// `count` numbers, 1 to kLanes, of each of some pixels that lie `step` apart. One loop for each
  /// stage, so that what kind of numbers there are is asked once, not for each pixel.
  template <int kPixels>
  HEDGE_INLINE void finish(Vec (&v)[kPixels], std::ptrdiff_t offset, std::ptrdiff_t step,
                           int count) const {
    if (residual_number == Number::kInt8) {
      add_residual(v, offset, step, [&](std::ptrdiff_t at) {
        return floats_of_bytes<SByteVec>(residual, at, count);
      });
    } else if (residual_number == Number::kUInt8) {
      add_residual(v, offset, step, [&](std::ptrdiff_t at) {
        return floats_of_bytes<UByteVec>(residual, at, count);
      });
    } else if (residual_number == Number::kFloat) {
      add_residual(v, offset, step, [&](std::ptrdiff_t at) {
        Vec x{};
        std::memcpy(&x, static_cast<const float*>(residual) + at,
                    sizeof(float) * static_cast<std::size_t>(count));
        return x;
      });
    }
    HEDGE_UNROLL
    for (int m = 0; m < kPixels; ++m) v[m] = bounded(v[m], low, high);
    if (result == Number::kFloat) {
      HEDGE_UNROLL
      for (int m = 0; m < kPixels; ++m) {
        std::memcpy(static_cast<float*>(dst) + offset + m * step, &v[m],
                    sizeof(float) * static_cast<std::size_t>(count));
      }
      return;
    }
    // Adding 1.5 * 2^23 leaves the rounded number (halves to even) in the low bits.
    constexpr float kMagic = 12582912;
    HEDGE_UNROLL
    for (int m = 0; m < kPixels; ++m) {
      const Vec shifted = v[m] + kMagic;
      IVec bits;
      std::memcpy(&bits, &shifted, sizeof bits);
      const SByteVec bytes = lowest_bytes(bits + zero_point);
      std::memcpy(static_cast<std::int8_t*>(dst) + offset + m * step, &bytes,
                  static_cast<std::size_t>(count));
    }
  }

 private:
  template <int kPixels, class Load>
  HEDGE_INLINE void add_residual(Vec (&v)[kPixels], std::ptrdiff_t offset, std::ptrdiff_t step,
                                 const Load& load_at) const {
    HEDGE_UNROLL
    for (int m = 0; m < kPixels; ++m) v[m] += load_at(offset + m * step) * residual_scale;
  }
};

HEDGE_INLINE Vec scaled(IVec sum, Vec factor, Vec bias) {
  return (__builtin_convertvector(sum, Vec) + bias) * factor;
}

template <int kPixels, int kVectors>
void store_tile(const IntegerPlan& plan, const TileArguments<PairMath>& at,
                const Tile<PairMath, kPixels, kVectors>& tile) {
  constexpr int kStride = kVectors * kLanes;
  const Requantized result(plan, at.buffers->residual, at.buffers->dst);
  const std::ptrdiff_t pixel_step = plan.out_channels;
  const std::ptrdiff_t out = at.out;
  const int channels = at.channels;
  HEDGE_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const int there = channels - v * kLanes;
    if (there <= 0) continue;
    Vec factor;
    Vec bias;
    std::memcpy(&factor, at.weights + v * kLanes, sizeof factor);
    std::memcpy(&bias, at.weights + kStride + v * kLanes, sizeof bias);
    Vec numbers[kPixels];
    HEDGE_UNROLL
    for (int m = 0; m < kPixels; ++m) numbers[m] = scaled(tile.sum[m][v], factor, bias);
    if (there >= kLanes) {
      result.finish(numbers, out + v * kLanes, pixel_step, kLanes);
    } else {
      result.finish(numbers, out + v * kLanes, pixel_step, there);
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
  const Requantized result(plan, buffers.residual, buffers.dst);
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
          Vec numbers[1] = {scaled(sum, load(buffers.factors + c), load(buffers.bias + c))};
          result.finish(numbers, out + c, 0, kLanes);
        } else {
          Vec numbers[1] = {scaled(sum, load_some(buffers.factors + c, count),
                                   load_some(buffers.bias + c, count))};
          result.finish(numbers, out + c, 0, count);
        }
      }
    }
  }
}

template <class Stored>
HEDGE_INLINE void widen(const Widening& p, const Stored* src, std::int16_t* dst, int first,
                        int last) {
  const auto zero_point = static_cast<std::int16_t>(p.zero_point);
  const std::ptrdiff_t from_row = static_cast<std::ptrdiff_t>(p.columns) * p.groups * p.channels;
  const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(p.groups) * p.width;
  const std::ptrdiff_t to_row = (p.left + p.columns + p.right) * pixel;
  for (int row = first; row < last; ++row) {
    const Stored* from = src + row * from_row;
    std::int16_t* to = dst + row * to_row;
    for (std::ptrdiff_t i = 0; i < p.left * pixel; ++i) *to++ = 0;
    if (p.channels == p.width) {
      for (std::ptrdiff_t i = 0; i < from_row; ++i) {
        to[i] = static_cast<std::int16_t>(from[i] - zero_point);
      }
      to += from_row;
    } else {
      for (int i = 0; i < p.columns * p.groups; ++i, from += p.channels, to += p.width) {
        for (int c = 0; c < p.channels; ++c) {
          to[c] = static_cast<std::int16_t>(from[c] - zero_point);
        }
        for (int c = p.channels; c < p.width; ++c) to[c] = 0;
      }
    }
    for (std::ptrdiff_t i = 0; i < p.right * pixel; ++i) *to++ = 0;
  }
}

void run_widen(const Widening& p, const void* src, std::int16_t* dst, int first, int last) {
  if (p.is_signed) {
    widen(p, static_cast<const std::int8_t*>(src), dst, first, last);
  } else {
    widen(p, static_cast<const std::uint8_t*>(src), dst, first, last);
  }
}

}  // namespace
}  // namespace hedge::cpu
