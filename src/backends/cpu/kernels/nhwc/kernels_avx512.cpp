// SPDX-License-Identifier: Apache-2.0
// AVX-512F and AVX-512BW.
#if defined(__AVX512BW__)
#define HEDGE_LANES 16
#define HEDGE_WIDEST_TILE_1 14
#define HEDGE_WIDEST_TILE_2 14
#include "backends/cpu/kernels/nhwc/kernel_table.h"

namespace hedge::cpu {
extern const KernelSet kAvx512Kernels;
const KernelSet kAvx512Kernels = table_of("avx512");
}  // namespace hedge::cpu
#endif
