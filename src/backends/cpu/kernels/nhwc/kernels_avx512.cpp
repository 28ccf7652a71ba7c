// SPDX-License-Identifier: Apache-2.0
// AVX-512F and AVX-512BW.
#if defined(__AVX512BW__)
#define HEDGE_LANES 16
#define HEDGE_WIDEST_TILE_1 14
#define HEDGE_WIDEST_TILE_2 14
#include "backends/cpu/kernels/nhwc/integer_loops.h"
#include "backends/cpu/kernels/nhwc/plane_loops.h"

namespace hedge::cpu {
extern const KernelSet kAvx512Kernels;
const KernelSet kAvx512Kernels = {"avx512",
                                  kLanes,
                                  {kWidest[0], kWidest[1]},
                                  run_convolution,
                                  run_depthwise,
                                  run_pool,
                                  run_clip,
                                  kPairsInterleaved,
                                  run_widen,
                                  run_integer_convolution,
                                  run_integer_depthwise};
}  // namespace hedge::cpu
#endif
