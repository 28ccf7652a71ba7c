// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "backends/gpu/device.h"

namespace hedge::gpu {

/// The GPU's times of the parts of an inference, by events between them. Events take time
/// themselves and keep kernels from overlapping, so they are in a graph of their own: the one that
/// infer() replays has none.
class TimeSplit {
 public:
  /// Sends a part to the stream; does not throw but answers an error. Empty: there is no such part.
  using Part = std::function<cudaError_t()>;
  /// `parts` follow one another on the stream; at least one is not empty. Captured where that can
  /// be done: launched one by one, the GPU's times would have waiting for the host in them.
  TimeSplit(cudaStream_t stream, std::vector<Part> parts);

  /// Sends all of them to the stream; throws where that cannot be done.
  void launch();
  /// Nanoseconds of each, once the stream is done; nothing for empty ones.
  [[nodiscard]] std::vector<std::optional<std::int64_t>> times_ns() const;

 private:
  [[nodiscard]] cudaError_t enqueue(unsigned record_flags);

  cudaStream_t stream_;
  std::vector<Part> parts_;
  std::vector<Event> events_;  ///< Before the first, then behind each part that there is.
  ExecutableGraph graph_;      ///< Null: launched one by one.
};

}  // namespace hedge::gpu
