// SPDX-License-Identifier: Apache-2.0
// AVX2 and FMA.
#if defined(__AVX2__)
#define HEDGE_LANES 8
#define HEDGE_WIDEST_TILE_1 12
#define HEDGE_WIDEST_TILE_2 6
#include "backends/cpu/kernels/nhwc/integer_loops.h"
#include "backends/cpu/kernels/nhwc/plane_loops.h"

namespace hedge::cpu {
extern const KernelSet kAvx2Kernels;
const KernelSet kAvx2Kernels = {"avx2",
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
