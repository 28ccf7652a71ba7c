// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/gpu/kernels/launch.h"

namespace hedge::gpu {

/// A kernel of its own that tells the host, behind copies and kernels that cannot.
[[nodiscard]] cudaError_t launch_completion(const Launch& launch);

}  // namespace hedge::gpu
