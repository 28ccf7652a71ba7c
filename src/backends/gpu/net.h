// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/gpu/kernels/launch.h"
#include "hedge/engine.h"

namespace hedge::gpu {

/// What a backend sends to a stream for an inference, between an input and outputs that Context
/// makes, fills and hands out. For one context and its thread; freed after the stream is done.
class Net {
 public:
  virtual ~Net() = default;

  /// Bytes of float32, what the context's memory is made for.
  [[nodiscard]] virtual std::size_t input_bytes() const = 0;
  [[nodiscard]] virtual std::vector<std::size_t> output_bytes() const = 0;
  /// With MemoryMode::kAuto, on a GPU with memory of its own: up to so many bytes of an input or
  /// output kernels use the host's memory themselves; more is copied.
  [[nodiscard]] virtual std::size_t most_mapped() const = 0;
  /// Once, before anything is sent: the stream of all that follows, and where kernels see input and
  /// outputs, at multiples of 256 bytes.
  virtual void bind(cudaStream_t stream, std::byte* input, std::span<std::byte* const> outputs) = 0;

  /// Sends an inference; may be captured, so it does not throw but answers an error.
  /// `behind_kernel`: what the stream has last is a kernel, which lets its successor begin.
  /// `completion` is empty unless tells().
  [[nodiscard]] virtual cudaError_t enqueue(bool behind_kernel, const Completion& completion) = 0;
  /// The last kernel heeds a Completion.
  [[nodiscard]] virtual bool tells() const { return false; }
  /// A kernel behind the net may begin while its last one runs.
  [[nodiscard]] virtual bool lets_successor_begin(bool /*behind_kernel*/) const { return false; }

  /// Throws runtime_failure, with what the backend knows besides, unless the status is a success.
  virtual void check(cudaError_t status, std::string_view what) = 0;
  /// Where an inference says what went wrong on the host, for the context to throw once it is done.
  /// Null: nothing can.
  [[nodiscard]] virtual std::string* host_failure() { return nullptr; }
  /// Why a capture has failed, and what is done instead, for people.
  [[nodiscard]] virtual std::string uncaptured(cudaError_t status) = 0;

  /// As LayerProfiler has them; may run an inference to learn them.
  [[nodiscard]] virtual std::vector<LayerProfiler::Layer> layers() = 0;
  /// As enqueue(), with something that tells each layer's time; after layers().
  [[nodiscard]] virtual cudaError_t enqueue_profiled() = 0;
  [[nodiscard]] virtual bool profiles_in_graph() const = 0;
  /// Of the last profiled inference, once the stream is done. One entry a layer.
  virtual void add_layer_times(std::span<std::int64_t> layer_ns) = 0;

  [[nodiscard]] virtual MemoryUse memory() const = 0;
};

}  // namespace hedge::gpu
