// SPDX-License-Identifier: Apache-2.0
// NEON, which every arm64 CPU has.
#if defined(__aarch64__)
#define HEDGE_LANES 4
#define HEDGE_WIDEST_TILE_1 12
#define HEDGE_WIDEST_TILE_2 8
#include "backends/cpu/kernels/nhwc/kernel_table.h"

namespace hedge::cpu {
extern const KernelSet kNeonKernels;
const KernelSet kNeonKernels = table_of("neon");
}  // namespace hedge::cpu
#endif
