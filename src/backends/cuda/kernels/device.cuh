// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "backends/cuda/kernels/elements.h"
#include "backends/gpu/kernels/launch.cuh"

// What all kernels share on the device.

namespace hedge::cuda {

using gpu::launch_kernel;
using gpu::let_successor_begin;
using gpu::next_completion;
using gpu::tell_completion;
using gpu::tell_score;
using gpu::wait_for_predecessor;

inline constexpr int kWarp = 32;

__host__ __device__ constexpr int ceil_div(int a, int b) {
  return (a + b - 1) / b;
}

template <class Element>
__device__ inline float to_float(Element x) {
  return static_cast<float>(x);
}
template <class Element>
__device__ inline Element from_float(float x) {
  return static_cast<Element>(x);
}
template <>
__device__ inline __half from_float(float x) {
  return __float2half_rn(x);
}
template <>
__device__ inline __nv_bfloat16 from_float(float x) {
  return __float2bfloat16_rn(x);
}

/// The nearest stored number, halves to even; what is beyond 8 bits saturates.
__device__ inline float to_steps(float x, float inverse_scale, int zero_point) {
  const float steps = rintf(x * inverse_scale) + static_cast<float>(zero_point);
  return fminf(fmaxf(steps, -128.F), 127.F);
}

__device__ constexpr int element_bytes(ElementType type) {
  return type == ElementType::kFloat32 ? 4 : type == ElementType::kInt8 ? 1 : 2;
}

/// Stands for elements of any type, Epilogue::type's.
struct AnyElement {};
/// How many of them a thread takes that works on such as lie together.
template <class Element>
inline constexpr int kLanes = kGranuleBytes / static_cast<int>(sizeof(Element));
template <>
inline constexpr int kLanes<AnyElement> = kAnyGranule;
template <>
inline constexpr int kLanes<std::int8_t> = 8;

/// As many bytes at once as there can be; both lie at multiples of that.
template <int kBytes>
__device__ inline void copy_words(void* to, const void* from) {
  using Word = std::conditional_t<
      kBytes % 16 == 0, uint4,
      std::conditional_t<
          kBytes % 8 == 0, uint2,
          std::conditional_t<kBytes % 4 == 0, std::uint32_t,
                             std::conditional_t<kBytes % 2 == 0, std::uint16_t, std::uint8_t>>>>;
#pragma unroll
  for (int i = 0; i < kBytes / static_cast<int>(sizeof(Word)); ++i) {
    static_cast<Word*>(to)[i] = static_cast<const Word*>(from)[i];
  }
}

/// kG elements that lie together, from `index` on, a multiple of kG; from registers too.
template <class Element, int kG>
__device__ inline void load_elements(float (&x)[kG], const void* from, std::size_t index) {
  alignas(kGranuleBytes) Element raw[kG];
  copy_words<kG* static_cast<int>(sizeof(Element))>(raw, static_cast<const Element*>(from) + index);
#pragma unroll
  for (int e = 0; e < kG; ++e) x[e] = to_float(raw[e]);
}
/// The same of any type, as real numbers.
template <int kG>
__device__ inline void load_together(float (&x)[kG], const void* from, ElementType type,
                                     const Scale& scale, std::size_t index) {
  switch (type) {
    case ElementType::kHalf:
      return load_elements<__half>(x, from, index);
    case ElementType::kBfloat16:
      return load_elements<__nv_bfloat16>(x, from, index);
    case ElementType::kFloat32:
      return load_elements<float>(x, from, index);
    case ElementType::kInt8:
      load_elements<std::int8_t>(x, from, index);
#pragma unroll
      for (int e = 0; e < kG; ++e)
        x[e] = scale.scale * (x[e] - static_cast<float>(scale.zero_point));
  }
}

template <class Element, int kG>
__device__ inline void store_elements(void* to, std::size_t index, const float (&x)[kG]) {
  alignas(kGranuleBytes) Element out[kG];
#pragma unroll
  for (int e = 0; e < kG; ++e) out[e] = from_float<Element>(x[e]);
  copy_words<kG* static_cast<int>(sizeof(Element))>(static_cast<Element*>(to) + index, out);
}
/// Real numbers as 8 bits: to_steps without conversions, which some GPUs do slowly. What is within
/// 8 bits and added to 1.5 * 2^23 is rounded to an integer, halves to even, in its last byte.
template <int kG>
__device__ inline void store_bytes(void* to, const Scale& scale, std::size_t index,
                                   const float (&x)[kG]) {
  constexpr float kRounder = 12582912.F;
  const float inverse = __frcp_rn(scale.scale);
  const auto lowest = static_cast<float>(-128 - scale.zero_point);
  const auto highest = static_cast<float>(127 - scale.zero_point);
  alignas(kGranuleBytes) std::uint8_t out[kG];
#pragma unroll
  for (int e = 0; e < kG; ++e) {
    const float steps = fminf(fmaxf(x[e] * inverse, lowest), highest);
    out[e] = static_cast<std::uint8_t>(__float_as_int(steps + kRounder) + scale.zero_point);
  }
  copy_words<kG>(static_cast<std::int8_t*>(to) + index, out);
}

/// Real numbers as elements of any type.
template <int kG>
__device__ inline void store_together(void* to, ElementType type, const Scale& scale,
                                      std::size_t index, const float (&x)[kG]) {
  switch (type) {
    case ElementType::kHalf:
      return store_elements<__half>(to, index, x);
    case ElementType::kBfloat16:
      return store_elements<__nv_bfloat16>(to, index, x);
    case ElementType::kFloat32:
      return store_elements<float>(to, index, x);
    case ElementType::kInt8:
      return store_bytes(to, scale, index, x);
  }
}

/// Element `index` of numbers whose type is known at run time only; none in 8 bits.
__device__ inline float load(const void* from, ElementType type, std::size_t index) {
  switch (type) {
    case ElementType::kHalf:
      return to_float(static_cast<const __half*>(from)[index]);
    case ElementType::kBfloat16:
      return to_float(static_cast<const __nv_bfloat16*>(from)[index]);
    default:
      return static_cast<const float*>(from)[index];
  }
}
__device__ inline void store(void* to, ElementType type, std::size_t index, float x) {
  switch (type) {
    case ElementType::kHalf:
      static_cast<__half*>(to)[index] = from_float<__half>(x);
      return;
    case ElementType::kBfloat16:
      static_cast<__nv_bfloat16*>(to)[index] = from_float<__nv_bfloat16>(x);
      return;
    default:
      static_cast<float*>(to)[index] = x;
  }
}

/// The functions of one number; out of line, since most nets need none of them. As
/// apply_activation of graph/post_op.h, NaNs included.
static __device__ __noinline__ float activate(PostOpParameters::Kind kind, float alpha, float beta,
                                              float x) {
  using Kind = PostOpParameters::Kind;
  switch (kind) {
    case Kind::kRelu:
      return x < 0 ? 0 : x;
    case Kind::kClip: {
      const float bounded = x < alpha ? alpha : x;
      return beta < bounded ? beta : bounded;
    }
    case Kind::kLeakyRelu:
      return x < 0 ? alpha * x : x;
    case Kind::kElu:
      return x < 0 ? alpha * expm1f(x) : x;
    case Kind::kTanh:
      return tanhf(x);
    case Kind::kSigmoid:
      return 1 / (1 + expf(-x));
    case Kind::kHardSigmoid:
      return fminf(fmaxf(alpha * x + beta, 0.F), 1.F);
    case Kind::kHardSwish:
      return x * fminf(fmaxf(x / 6 + 0.5F, 0.F), 1.F);
    case Kind::kSwish:
      return x / (1 + expf(-alpha * x));
    case Kind::kGelu:
      return 0.5F * x * (1 + erff(x * 0.70710678F));
    case Kind::kGeluTanh:
      return 0.5F * x * (1 + tanhf(0.79788456F * (x + 0.044715F * x * x * x)));
    case Kind::kLinear:
      return alpha * x + beta;
    case Kind::kExp:
      return expf(x);
    case Kind::kLog:
      return logf(x);
    case Kind::kSqrt:
      return sqrtf(x);
    case Kind::kAbs:
      return fabsf(x);
    case Kind::kPow:
      return alpha * powf(x, beta);
    default:
      return x;
  }
}

/// A residual's kG channels. kLoaded: `loaded` has them already, as far as they fit.
template <class Element, int kG, bool kLoaded>
__device__ inline void load_operand(float (&x)[kG], const PostOpParameters& op, std::size_t index,
                                    const uint4& loaded) {
  if constexpr (std::is_same_v<Element, AnyElement>) {
    const bool fits = kLoaded && kG * element_bytes(op.type) <= kGranuleBytes;
    if (fits) {
      load_together(x, &loaded, op.type, op.scale, 0);
    } else {
      load_together(x, op.operand, op.type, op.scale, index);
    }
  } else if constexpr (kLoaded) {
    load_elements<Element>(x, &loaded, 0);
  } else {
    load_elements<Element>(x, op.operand, index);
  }
}

/// Bias and factors of channels that lie together, loaded before they are needed.
template <class Element, int kG>
struct ChannelTerms {
  static constexpr bool kAny = std::is_same_v<Element, AnyElement>;
  float bias[kG], factors[kAny ? kG : 1];

  __device__ ChannelTerms(const Epilogue& epilogue, int channel, bool there = true) {
    const bool scaled = kAny && epilogue.factors != nullptr;
#pragma unroll
    for (int e = 0; e < kG; ++e) {
      bias[e] = there && epilogue.bias != nullptr ? __ldg(epilogue.bias + channel + e) : 0.F;
      if constexpr (kAny)
        factors[e] = there && scaled ? __ldg(epilogue.factors + channel + e) : 1.F;
    }
  }
  __device__ void apply(float (&x)[kG]) const {
#pragma unroll
    for (int e = 0; e < kG; ++e) {
      x[e] += bias[e];
      if constexpr (kAny) x[e] *= factors[e];
    }
  }
};

/// What comes behind the bias, for kG channels of a pixel that lie together, of `stored_c` each
/// pixel has. kLoaded: so is the tensor of a first post-op that adds one.
template <class Element, int kG, bool kLoaded = false>
__device__ inline void finish_channels(const Epilogue& epilogue, std::size_t pixel, int channel,
                                       int stored_c, float (&x)[kG], const uint4& tensor = {}) {
  using Kind = PostOpParameters::Kind;
  const std::size_t index = pixel * static_cast<std::size_t>(stored_c) + channel;
  for (int o = 0; o < epilogue.post_op_count; ++o) {
    const PostOpParameters& op = epilogue.post_ops[o];
    switch (op.kind) {
      case Kind::kRelu:
#pragma unroll
        for (int e = 0; e < kG; ++e) x[e] = x[e] < 0 ? 0.F : x[e];
        break;
      case Kind::kAddTensor: {
        float other[kG];
        if (kLoaded && o == 0) {
          load_operand<Element, kG, true>(other, op, index, tensor);
        } else {
          load_operand<Element, kG, false>(other, op, index, tensor);
        }
#pragma unroll
        for (int e = 0; e < kG; ++e) x[e] += other[e];
        break;
      }
      case Kind::kAddChannels:
#pragma unroll
        for (int e = 0; e < kG; ++e) {
          x[e] += channel + e < epilogue.used_c
                      ? __ldg(static_cast<const float*>(op.operand) + channel + e)
                      : 0.F;
        }
        break;
      default:
#pragma unroll
        for (int e = 0; e < kG; ++e) x[e] = activate(op.kind, op.alpha, op.beta, x[e]);
    }
  }
  if (epilogue.rows != nullptr) {
    float* to = epilogue.rows + pixel * static_cast<std::size_t>(epilogue.used_c) + channel;
#pragma unroll
    for (int e = 0; e < kG; ++e) {
      if (channel + e < epilogue.used_c) to[e] = x[e];
    }
    return;
  }
#pragma unroll
  for (int e = 0; e < kG; ++e) x[e] = channel + e < epilogue.used_c ? x[e] : 0.F;
  if constexpr (std::is_same_v<Element, AnyElement>) {
    store_together(epilogue.y, epilogue.type, epilogue.scale, index, x);
  } else {
    store_elements<Element>(epilogue.y, index, x);
  }
}

/// Granule `index` of numbers as the device stores them.
template <class Element, int kG>
__device__ inline void store_granule(void* y, std::size_t index, const float (&x)[kG]) {
  alignas(kGranuleBytes) Element out[kG];
#pragma unroll
  for (int e = 0; e < kG; ++e) out[e] = from_float<Element>(x[e]);
  static_cast<uint4*>(y)[index] = *reinterpret_cast<const uint4*>(out);
}

/// Calls f with a zero of the device's type for a type of elements.
template <class Function>
cudaError_t with_element(ElementType type, Function f) {
  switch (type) {
    case ElementType::kHalf:
      return f(__half{});
    case ElementType::kBfloat16:
      return f(__nv_bfloat16{});
    case ElementType::kFloat32:
      return f(float{});
    case ElementType::kInt8:
      break;  // Kernels that take it say so themselves.
  }
  return cudaErrorInvalidValue;
}

/// The same, 8 bits among them.
template <class Function>
cudaError_t with_any_element(ElementType type, Function f) {
  return type == ElementType::kInt8 ? f(std::int8_t{}) : with_element(type, f);
}

}  // namespace hedge::cuda
