// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace hedge::emulation {

/// Runs it, or adds it to the graph that the stream captures.
cudaError_t enqueue_grid(const cudaLaunchConfig_t& config, std::function<void()> thread);

}  // namespace hedge::emulation
