// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace hedge::gpu {

/// How the last kernel of an inference tells the host that all is done, outputs included.
struct Completion {
  std::uint32_t* counter = nullptr;  ///< On the GPU: inferences done. Null: nobody is told.
  std::uint32_t* word = nullptr;     ///< Page-locked memory of the host: the same number.
  /// Likewise, in place of `word` and the output, where that is one: each score with the number in
  /// one store, which is there as a whole or not at all. So there is no order to be kept, for which
  /// a kernel would wait until the host has answered.
  std::uint64_t* scores = nullptr;
};
[[nodiscard]] constexpr std::uint32_t number_of(std::uint64_t score) {
  return static_cast<std::uint32_t>(score >> 32U);
}

/// Where a kernel is launched.
struct Launch {
  cudaStream_t stream = nullptr;
  /// Begin while the stream's kernel before it still runs (Hopper on).
  bool overlap = false;
  Completion completion{};  ///< Set for kernels that can tell, where they are last.
};

}  // namespace hedge::gpu
