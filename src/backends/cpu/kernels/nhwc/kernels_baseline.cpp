// SPDX-License-Identifier: Apache-2.0
// What the compiler takes for granted: SSE2 on x86-64.
#if !defined(__aarch64__)
#define HEDGE_LANES 4
#define HEDGE_WIDEST_TILE_1 8
#define HEDGE_WIDEST_TILE_2 5
#include "backends/cpu/kernels/nhwc/integer_loops.h"
#include "backends/cpu/kernels/nhwc/plane_loops.h"

namespace hedge::cpu {
extern const KernelSet kBaselineKernels;
const KernelSet kBaselineKernels = {"baseline",
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
