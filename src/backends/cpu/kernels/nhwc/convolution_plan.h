// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cpu/kernels/nhwc/kernels.h"

namespace hedge::cpu {

/// How a convolution that is not depthwise is cut into tiles and jobs; zeros are the caller's.
[[nodiscard]] ConvolutionPlan plan_of(const Convolution& layer, const KernelSet& set);

}  // namespace hedge::cpu
