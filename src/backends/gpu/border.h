// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "backends/gpu/device.h"
#include "hedge/engine.h"

namespace hedge::gpu {

/// An input or output: the caller's memory, and where kernels see it.
struct Border {
  MemoryMode mode = MemoryMode::kMapped;  ///< Never kAuto.
  std::size_t bytes = 0;
  Memory host;
  Memory device;  ///< Null: kernels use the host's.
  [[nodiscard]] std::byte* seen() const { return device ? device.get() : host.get(); }
};
enum class Direction { kIn, kOut };

/// Whole granules for so many bytes of an input or output, which TensorRT's kernels may read and
/// write.
[[nodiscard]] constexpr std::size_t room_for(std::size_t bytes) {
  constexpr std::size_t kGranule = 256;
  return (bytes + kGranule - 1) / kGranule * kGranule;
}

/// Zeroed. Not of kAuto. The stream is the one that the border's kernels run on. Throws bad_input
/// where the GPU has no managed memory.
[[nodiscard]] Border make_border(MemoryMode mode, Direction direction, std::size_t bytes,
                                 cudaStream_t stream);
/// Between the caller's memory and the GPU's, where there are two.
[[nodiscard]] cudaError_t enqueue_copy(const Border& border, Direction direction,
                                       cudaStream_t stream);

[[nodiscard]] inline bool is_managed(MemoryMode mode) {
  return mode == MemoryMode::kManaged || mode == MemoryMode::kManagedOriginal;
}

}  // namespace hedge::gpu
