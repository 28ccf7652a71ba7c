// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>

// A grid of thread blocks on a CPU: one block after the other, each of its threads a fiber that
// runs until all of its warp or block must come together.

namespace hedge::emulation {

inline constexpr int kLanes = 32;

struct Grid {
  dim3 blocks{1};
  dim3 threads{1};
  std::size_t shared_bytes = 0;
};

/// Calls `thread` for each thread of each block. Ends the process with a line that says why where
/// threads wait for others that never come, or meet at different places.
void run_grid(const Grid& grid, const std::function<void()>& thread);

// What a thread sees, within run_grid.
extern uint3 thread_index, block_index;
extern dim3 block_extent, grid_extent;
[[nodiscard]] float4* shared_memory();

/// All threads of the block that have not ended.
void meet_block();
/// What the last thread of a warp does for all, by what each brings along.
using Together = void (*)(void* const (&lanes)[kLanes]);
/// All 32 threads of the warp.
void meet_warp(Together together, void* mine);

}  // namespace hedge::emulation
