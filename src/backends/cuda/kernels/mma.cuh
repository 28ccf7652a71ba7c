// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "backends/cuda/kernels/elements.h"
#include "backends/gpu/kernels/instructions.cuh"

// Products of a 16 x K tile of rows by a K x 8 tile of columns on the tensor cores, for every
// element type by one scheme. Which k stands where in the fragments is free, as long as both
// operands agree: so each thread of a quad takes one granule of 16 consecutive bytes of a row, as
// it lies in memory, for two of the instructions in a row. A row's four granules are a chunk. (PTX
// ISA, "Matrix fragments for mma.m16n8k16", .m16n8k8, .m16n8k32: the operands' words at a thread
// are (row g, row g + 8) x (first half, second half), with g = lane / 4.)

namespace hedge::cuda {

namespace instructions = gpu::instructions;

inline constexpr int kChunkGranules = 4;

struct Half {
  using Element = __half;
  using Accumulator = float;
};
struct Bfloat16 {
  using Element = __nv_bfloat16;
  using Accumulator = float;
};
struct Tf32 {
  using Element = float;
  using Accumulator = float;
};
/// Three products of TF32 for one of float32: what rounding to TF32 takes from an operand is
/// multiplied apart, but for the product of two such rests (as CUTLASS's "3xTF32").
struct Float32 {
  using Element = float;
  using Accumulator = float;
};

/// Bytes, added in 32 bits, which wrap around.
struct Int8 {
  using Element = std::int8_t;
  using Accumulator = int;
};

template <class Kind>
inline constexpr int kGranule = kGranuleBytes / static_cast<int>(sizeof(typename Kind::Element));

namespace detail {

__device__ inline void mma(Half, float (&d)[4], const std::uint32_t (&a)[4],
                           const std::uint32_t (&b)[2]) {
  instructions::multiply_half(d, a, b);
}
__device__ inline void mma(Bfloat16, float (&d)[4], const std::uint32_t (&a)[4],
                           const std::uint32_t (&b)[2]) {
  instructions::multiply_bfloat16(d, a, b);
}
__device__ inline void mma(Int8, int (&d)[4], const std::uint32_t (&a)[4],
                           const std::uint32_t (&b)[2]) {
  instructions::multiply_int8(d, a, b);
}
__device__ inline std::uint32_t to_tf32(std::uint32_t bits) {
  return instructions::round_to_tf32(__uint_as_float(bits));
}
/// What is left of a number behind its TF32; nothing of one that is not finite.
__device__ inline std::uint32_t rest(std::uint32_t bits, std::uint32_t rounded) {
  const float difference = __uint_as_float(bits) - __uint_as_float(rounded);
  return isfinite(difference) ? to_tf32(__float_as_uint(difference)) : 0U;
}
__device__ inline void mma(Tf32, float (&d)[4], const std::uint32_t (&a)[4],
                           const std::uint32_t (&b)[2]) {
  const std::uint32_t ra[4] = {to_tf32(a[0]), to_tf32(a[1]), to_tf32(a[2]), to_tf32(a[3])};
  const std::uint32_t rb[2] = {to_tf32(b[0]), to_tf32(b[1])};
  instructions::multiply_tf32(d, ra, rb);
}
__device__ inline void mma(Float32, float (&d)[4], const std::uint32_t (&a)[4],
                           const std::uint32_t (&b)[2]) {
  std::uint32_t ra[4], sa[4], rb[2], sb[2];
#pragma unroll
  for (int i = 0; i < 4; ++i) sa[i] = rest(a[i], ra[i] = to_tf32(a[i]));
#pragma unroll
  for (int i = 0; i < 2; ++i) sb[i] = rest(b[i], rb[i] = to_tf32(b[i]));
  instructions::multiply_tf32(d, sa, rb);
  instructions::multiply_tf32(d, ra, sb);
  instructions::multiply_tf32(d, ra, rb);
}

}  // namespace detail

/// d += rows x columns over one chunk: `low` and `high` are this thread's granules of rows g and
/// g + 8, `b` that of column g. d[0..1] are (g, 2t..2t+1), d[2..3] (g + 8, the same), t = lane % 4.
template <class Kind>
__device__ inline void multiply(typename Kind::Accumulator (&d)[4], const uint4& low,
                                const uint4& high, const uint4& b) {
  detail::mma(Kind{}, d, {low.x, high.x, low.y, high.y}, {b.x, b.y});
  detail::mma(Kind{}, d, {low.z, high.z, low.w, high.w}, {b.z, b.w});
}

}  // namespace hedge::cuda
