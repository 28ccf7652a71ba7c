// SPDX-License-Identifier: Apache-2.0
#include "backends/gpu/kernels/completion.h"
#include "backends/gpu/kernels/launch.cuh"

namespace hedge::gpu {
namespace {

__global__ void tell(const Completion completion) {
  const std::uint32_t number = next_completion(completion);
  wait_for_predecessor();
  tell_completion(completion, number);
}

}  // namespace

cudaError_t launch_completion(const Launch& launch) {
  return launch_kernel(tell, dim3(1), 1, 0, launch, launch.completion);
}

}  // namespace hedge::gpu
