// SPDX-License-Identifier: Apache-2.0
// NEON, which every arm64 CPU has.
#if defined(__aarch64__)
#define HEDGE_LANES 4
#define HEDGE_WIDEST_TILE_1 12
#define HEDGE_WIDEST_TILE_2 8
#include "backends/cpu/kernels/nhwc/integer_loops.h"
#include "backends/cpu/kernels/nhwc/plane_loops.h"

namespace hedge::cpu {
extern const KernelSet kNeonKernels;
const KernelSet kNeonKernels = {"neon",
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
