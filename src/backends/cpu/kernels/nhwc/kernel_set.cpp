// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/kernels/nhwc/kernel_set.h"

namespace hedge::cpu {

#if defined(__aarch64__)
extern const KernelSet kNeonKernels;
#else
extern const KernelSet kBaselineKernels;
#endif
#if defined(__x86_64__)
extern const KernelSet kAvx512Kernels;
extern const KernelSet kAvx2Kernels;
#endif

const std::vector<const KernelSet*>& kernel_sets() {
  static const std::vector<const KernelSet*> sets = [] {
    std::vector<const KernelSet*> found;
#if defined(__aarch64__)
    found.push_back(&kNeonKernels);
#else
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0) {
      found.push_back(&kAvx512Kernels);
    }
    if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0) {
      found.push_back(&kAvx2Kernels);
    }
#endif
    found.push_back(&kBaselineKernels);
#endif
    return found;
  }();
  return sets;
}

int blocks_of(const ConvolutionPlan& plan, int lanes) {
  const int block = plan.vectors * lanes;
  return (plan.out_channels / plan.groups + block - 1) / block;
}

int jobs_of(const ConvolutionPlan& plan, int lanes) {
  const int parts = (plan.tiles + plan.tiles_a_job - 1) / plan.tiles_a_job;
  return plan.geometry.batch * plan.geometry.out_h * parts * plan.groups * blocks_of(plan, lanes);
}

}  // namespace hedge::cpu
