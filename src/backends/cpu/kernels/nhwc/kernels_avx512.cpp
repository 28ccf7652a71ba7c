// SPDX-License-Identifier: Apache-2.0
// AVX-512F.
#if defined(__AVX512F__)
#define HEDGE_LANES 16
#define HEDGE_WIDEST_TILE_1 14
#define HEDGE_WIDEST_TILE_2 14
#include "backends/cpu/kernels/nhwc/convolution_loops.h"
#include "backends/cpu/kernels/nhwc/plane_loops.h"

namespace hedge::cpu {
extern const KernelSet kAvx512Kernels;
const KernelSet kAvx512Kernels = {
    "avx512", kLanes, {kWidest[0], kWidest[1]}, run_convolution, run_depthwise, run_pool, run_clip};
}  // namespace hedge::cpu
#endif
