// SPDX-License-Identifier: Apache-2.0
// All loops, and the table that a kernels_*.cpp exports of them.
#pragma once

#include "backends/cpu/kernels/nhwc/integer_loops.h"
#include "backends/cpu/kernels/nhwc/plane_loops.h"

namespace hedge::cpu {
namespace {

constexpr KernelSet table_of(const char* name) {
  return {name,
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
}

}  // namespace
}  // namespace hedge::cpu
