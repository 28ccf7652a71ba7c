// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hedge::gpu {

/// Throws runtime_failure with a line that says what failed and, where it is known, what to do.
void check(cudaError_t status, std::string_view what);

/// Compute capability that our own kernels need: mma of TF32 and bfloat16 came with it, and there
/// are images of none for earlier GPUs.
inline constexpr int kLeastMajor = 8;

/// Why nothing can run here: no driver, one that is too old, no GPU, one whose compute capability
/// is below kLeastMajor.0.
[[nodiscard]] std::optional<std::string> unavailable_reason();

/// The GPU that is used: the first one that CUDA_VISIBLE_DEVICES leaves.
struct Device {
  std::string name;
  int major = 0, minor = 0;  ///< Compute capability.
  int multiprocessors = 0;
  int driver = 0, runtime = 0;  ///< CUDA versions, 1000 * major + 10 * minor.
};
[[nodiscard]] Device device();
/// "CUDA 13.0, NVIDIA H100 80GB HBM3 (sm_90)"
[[nodiscard]] std::string description_of(const Device& device);
/// "12.2"
[[nodiscard]] std::string version_text(int version);

/// Of the GPU that is used.
[[nodiscard]] int device_attribute(cudaDeviceAttr attribute);

/// As check(), of memory of the GPU: says how much was wanted and how much is free.
void check_allocation(cudaError_t status, std::size_t bytes);

using Memory = std::shared_ptr<std::byte>;
/// Zeroed. Throws runtime_failure where there is not so much.
[[nodiscard]] Memory device_memory(std::size_t bytes);
/// Zeroed, of the host, page-locked; kernels may use it by the same address.
[[nodiscard]] Memory pinned_memory(std::size_t bytes);

struct StreamCloser {
  void operator()(cudaStream_t stream) const { cudaStreamDestroy(stream); }
};
struct GraphCloser {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};
struct GraphExecCloser {
  void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
};
struct EventCloser {
  void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
};
using Stream = std::unique_ptr<CUstream_st, StreamCloser>;
using ExecutableGraph = std::unique_ptr<CUgraphExec_st, GraphExecCloser>;
using Event = std::unique_ptr<CUevent_st, EventCloser>;

[[nodiscard]] Stream new_stream();

/// What `enqueue` sends to the stream, as a graph. `enqueue` does not throw but answers an error;
/// the capture ends all the same then, and the stream goes on being usable. Null with `status`
/// where the graph cannot be had.
template <class Enqueue>
[[nodiscard]] ExecutableGraph capture(cudaStream_t stream, cudaError_t& status, Enqueue enqueue) {
  status = cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  if (status != cudaSuccess) return nullptr;
  const cudaError_t enqueued = enqueue();
  cudaGraph_t captured = nullptr;
  status = cudaStreamEndCapture(stream, &captured);
  const std::unique_ptr<CUgraph_st, GraphCloser> graph(captured);
  if (enqueued != cudaSuccess) status = enqueued;
  cudaGraphExec_t executable = nullptr;
  if (status == cudaSuccess) status = cudaGraphInstantiateWithFlags(&executable, graph.get(), 0);
  if (status != cudaSuccess) {
    (void)cudaGetLastError();  // It is told; the next call must not find it.
    return nullptr;
  }
  return ExecutableGraph(executable);
}

}  // namespace hedge::gpu
