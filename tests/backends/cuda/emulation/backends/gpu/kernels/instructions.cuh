// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <tuple>
#include <utility>
#include <vector>

#include "backends/cuda/emulation/block.h"
#include "backends/cuda/emulation/runtime.h"

// In place of src/backends/gpu/kernels/instructions.cuh, where a C++ compiler compiles the kernels
// for this CPU: those instructions, and what CUDA's compiler brings along else.

// One block runs at a time, so its shared memory is the function's.
#undef __shared__
#define __shared__ static
#define __launch_bounds__(...)
#define __noinline__

inline const uint3& threadIdx = hedge::emulation::thread_index;
inline const uint3& blockIdx = hedge::emulation::block_index;
inline const dim3& blockDim = hedge::emulation::block_extent;
inline const dim3& gridDim = hedge::emulation::grid_extent;

using std::isfinite;
using std::isnan;
using std::max;
using std::min;

inline float __int_as_float(int x) {
  return std::bit_cast<float>(x);
}
inline int __float_as_int(float x) {
  return std::bit_cast<int>(x);
}
inline std::uint32_t __float_as_uint(float x) {
  return std::bit_cast<std::uint32_t>(x);
}
inline float __uint_as_float(std::uint32_t x) {
  return std::bit_cast<float>(x);
}
inline float __frcp_rn(float x) {
  return 1 / x;
}
template <class T>
inline T __ldg(const T* from) {
  return *from;
}
inline void __threadfence_system() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
}
inline void __syncthreads() {
  hedge::emulation::meet_block();
}
inline void __syncwarp() {
  hedge::emulation::meet_warp(nullptr, nullptr);
}

namespace hedge::emulation {

template <class T>
struct Exchange {
  T mine;
  int partner;
  T theirs;
  static void among(void* const (&lanes)[kLanes]) {
    for (void* lane : lanes) {
      auto& exchange = *static_cast<Exchange*>(lane);
      exchange.theirs = static_cast<const Exchange*>(lanes[exchange.partner])->mine;
    }
  }
};

/// In place of CUDA's template for kernels that a GPU's compiler has compiled.
template <class... Expected, class... Actual>
cudaError_t launch(const cudaLaunchConfig_t* config, void (*kernel)(Expected...),
                   const Actual&... arguments) {
  std::vector<std::byte> identity;
  const auto add = [&](const auto& part) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&part);
    identity.insert(identity.end(), bytes, bytes + sizeof(part));
  };
  add(kernel);
  (add(arguments), ...);
  const auto thread = [kernel, stored = std::tuple<Expected...>(arguments...)] {
    std::apply(kernel, stored);
  };
  return enqueue_grid(*config, thread, std::move(identity));
}

}  // namespace hedge::emulation

#define cudaLaunchKernelEx ::hedge::emulation::launch

template <class T>
inline T __shfl_xor_sync(unsigned mask, T x, int step) {
  if (mask != 0xffffffffU) std::abort();  // Only whole warps are emulated.
  const auto lane = static_cast<int>(threadIdx.x % hedge::emulation::kLanes);
  hedge::emulation::Exchange<T> exchange{x, lane ^ step, {}};
  hedge::emulation::meet_warp(hedge::emulation::Exchange<T>::among, &exchange);
  return exchange.theirs;
}

#define HEDGE_SHARED_MEMORY(name) float4* name = ::hedge::emulation::shared_memory()

namespace hedge::gpu::instructions {

// A kernel ends before the next one of its stream begins.
inline void launch_dependents() {}
inline void wait_for_dependencies() {}

inline void store_for_host(std::uint64_t* to, std::uint64_t bits) {
  std::atomic_ref(*to).store(bits, std::memory_order_relaxed);
}

/// To 10 bits of fraction, halves away from zero.
inline std::uint32_t round_to_tf32(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return std::isfinite(x) ? (bits + 0x1000U) & ~0x1fffU : bits;
}

void multiply_half(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);
void multiply_bfloat16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);
void multiply_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);
void multiply_int8(int (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);

}  // namespace hedge::gpu::instructions
