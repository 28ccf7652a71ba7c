// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace hedge::cpu::kernels {

/// The instruction sets that kernels are compiled for. The choice is the caller's, so that one
/// switch (the vendor's library's) caps both.
enum class Isa { kBaseline, kAvx2, kAvx512 };

using Run = void (*)(const void* parameters, std::byte* const* buffers);

// Body is a struct with a static, always inlined `run`: inlined into a function of a wider target,
// its loops are vectorised for that one. (Compiling a file twice with other flags would also
// compile the standard library's inline functions for CPUs that may not be there.)
template <class Body>
void run_baseline(const void* parameters, std::byte* const* buffers) {
  Body::run(parameters, buffers);
}

#if defined(__x86_64__)
template <class Body>
__attribute__((target("avx2,fma"))) void run_avx2(const void* parameters,
                                                  std::byte* const* buffers) {
  Body::run(parameters, buffers);
}
template <class Body>
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))) void run_avx512(
    const void* parameters, std::byte* const* buffers) {
  Body::run(parameters, buffers);
}
template <class Body>
Run choose(Isa isa) {
  if (isa == Isa::kAvx512) return run_avx512<Body>;
  if (isa == Isa::kAvx2) return run_avx2<Body>;
  return run_baseline<Body>;
}
#else
template <class Body>
Run choose(Isa /*isa*/) {
  return run_baseline<Body>;
}
#endif

#define HEDGE_ALWAYS_INLINE __attribute__((always_inline)) inline

}  // namespace hedge::cpu::kernels
