// SPDX-License-Identifier: Apache-2.0
// What the compiler takes for granted: SSE2 on x86-64.
#if !defined(__aarch64__)
#define HEDGE_LANES 4
#define HEDGE_WIDEST_TILE_1 8
#define HEDGE_WIDEST_TILE_2 5
#include "backends/cpu/kernels/nhwc/kernel_table.h"

namespace hedge::cpu {
extern const KernelSet kBaselineKernels;
const KernelSet kBaselineKernels = table_of("baseline");
}  // namespace hedge::cpu
#endif
