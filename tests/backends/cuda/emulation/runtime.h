// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <vector>

namespace hedge::emulation {

/// Runs it, or adds it to the graph that the stream captures. `identity`: the same bytes for a
/// launch of the same kernel with the same arguments.
cudaError_t enqueue_grid(const cudaLaunchConfig_t& config, std::function<void()> thread,
                         std::vector<std::byte> identity);

}  // namespace hedge::emulation
