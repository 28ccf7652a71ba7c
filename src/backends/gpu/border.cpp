// SPDX-License-Identifier: Apache-2.0
#include "backends/gpu/border.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "engine/gpu_options.h"
#include "hedge/error.h"

namespace hedge::gpu {
namespace {

Memory managed_memory(std::size_t bytes, unsigned flags) {
  void* data = nullptr;
  check_allocation(cudaMallocManaged(&data, std::max<std::size_t>(bytes, 1), flags), bytes);
  return {static_cast<std::byte*>(data), [](std::byte* p) { cudaFree(p); }};
}

/// Where the GPU cannot share it with the host at the same time (Tegra), the host may touch it
/// while nothing runs on this stream, whatever runs on others.
Memory attached_to(cudaStream_t stream, std::size_t bytes) {
  Memory memory = managed_memory(bytes, cudaMemAttachHost);
  std::memset(memory.get(), 0, bytes);
  check(cudaStreamAttachMemAsync(stream, memory.get(), 0, cudaMemAttachSingle),
        "attaching managed memory");
  check(cudaStreamSynchronize(stream), "attaching managed memory");
  return memory;
}

/// The original's calls, one by one; it took the third as prefetching.
Memory attached_as_the_original(Direction direction, std::size_t bytes) {
  const bool in = direction == Direction::kIn;
  Memory memory = managed_memory(bytes, in ? cudaMemAttachGlobal : cudaMemAttachHost);
  std::memset(memory.get(), 0, bytes);
  check(cudaStreamAttachMemAsync(nullptr, memory.get(), 0,
                                 in ? cudaMemAttachGlobal : cudaMemAttachHost),
        "attaching managed memory");
  check(cudaStreamSynchronize(nullptr), "attaching managed memory");
  return memory;
}

}  // namespace

Border make_border(MemoryMode mode, Direction direction, std::size_t bytes, cudaStream_t stream) {
  Border border{.mode = mode, .bytes = bytes, .host = nullptr, .device = nullptr};
  if (is_managed(mode)) {
    if (device_attribute(cudaDevAttrManagedMemory) == 0) {
      throw bad_input(fmt::format(
          "--memory={}: this GPU has no managed memory; use --memory=pinned", to_string(mode)));
    }
    border.host = mode == MemoryMode::kManaged
                      ? attached_to(stream, room_for(bytes))
                      : attached_as_the_original(direction, room_for(bytes));
    return border;
  }
  border.host = pinned_memory(room_for(bytes));
  if (mode != MemoryMode::kMapped) border.device = device_memory(room_for(bytes));
  return border;
}

cudaError_t enqueue_copy(const Border& border, Direction direction, cudaStream_t stream) {
  if (!border.device) return cudaSuccess;
  return direction == Direction::kIn
             ? cudaMemcpyAsync(border.device.get(), border.host.get(), border.bytes,
                               cudaMemcpyHostToDevice, stream)
             : cudaMemcpyAsync(border.host.get(), border.device.get(), border.bytes,
                               cudaMemcpyDeviceToHost, stream);
}

}  // namespace hedge::gpu
