// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "backends/gpu/kernels/instructions.cuh"
#include "backends/gpu/kernels/launch.h"

// How kernels are launched, wait for one another, and tell the host.

namespace hedge::gpu {

/// Programmatic dependent launch (Hopper on): the next kernel of the stream may begin now, and
/// waits itself where it needs what this one has written. So every kernel waits before it touches
/// what others have written or may still read: then a kernel that has ended implies all before it.
__device__ inline void let_successor_begin() {
  instructions::launch_dependents();
}
__device__ inline void wait_for_predecessor() {
  instructions::wait_for_dependencies();
}

/// The number of this inference. May be asked for before wait_for_predecessor, so that the way to
/// memory is over by then: the host begins no inference before it has seen the number of the last.
__device__ inline std::uint32_t next_completion(const Completion& completion) {
  return completion.counter == nullptr ? 0 : *completion.counter + 1;
}
/// Score `index`, where the completion takes them; any thread.
__device__ inline void tell_score(const Completion& completion, std::uint32_t number, int index,
                                  float score) {
  const std::uint64_t bits = std::uint64_t{number} << 32U | __float_as_uint(score);
  instructions::store_for_host(completion.scores + index, bits);
}
/// By one thread, after everything that the host will read: what this thread has seen of others is
/// ordered before the word, too.
__device__ inline void tell_completion(const Completion& completion, std::uint32_t number) {
  if (completion.counter == nullptr) return;
  *completion.counter = number;
  if (completion.scores != nullptr) return;
  __threadfence_system();
  *const_cast<volatile std::uint32_t*>(completion.word) = number;
}

/// Keeps a parameter of a template from being deduced.
template <class T>
struct Stated {
  using Type = T;
};

template <class... Parameters>
cudaError_t launch_kernel(void (*kernel)(Parameters...), dim3 grid, unsigned threads,
                          std::size_t shared_bytes, const Launch& at,
                          const typename Stated<Parameters>::Type&... parameters) {
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared_bytes;
  config.stream = at.stream;
  config.attrs = &overlap;
  config.numAttrs = at.overlap ? 1 : 0;
  return cudaLaunchKernelEx(&config, kernel, parameters...);
}

}  // namespace hedge::gpu
