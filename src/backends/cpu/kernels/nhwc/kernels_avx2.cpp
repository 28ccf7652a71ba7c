// SPDX-License-Identifier: Apache-2.0
// AVX2 and FMA.
#if defined(__AVX2__)
#define HEDGE_LANES 8
#define HEDGE_WIDEST_TILE_1 12
#define HEDGE_WIDEST_TILE_2 6
#include "backends/cpu/kernels/nhwc/kernel_table.h"

namespace hedge::cpu {
extern const KernelSet kAvx2Kernels;
const KernelSet kAvx2Kernels = table_of("avx2");
}  // namespace hedge::cpu
#endif
