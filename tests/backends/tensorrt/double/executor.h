// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "double/plan_file.h"
#include "graph/graph.h"
#include "tensorrt_stubs.h"

// What the double's engines compute with, once a context has a stream and addresses.

namespace hedge_double {

/// Where a context's inferences run: the memory that the caller has set.
struct Place {
  cudaStream_t stream = nullptr;
  std::byte* input = nullptr;
  std::vector<std::byte*> outputs{};  ///< In the graph's order.
};

class Executor {
 public:
  virtual ~Executor() = default;
  /// Sends an inference to the stream; may be captured, and allocates nothing when it is replayed.
  [[nodiscard]] virtual cudaError_t enqueue() = 0;
  /// The same, tells each layer's time and has waited for that.
  [[nodiscard]] virtual cudaError_t enqueue_profiled(nvinfer1::IProfiler& profiler) = 0;
};

/// By Hedge's reference executor, in a host function between copies from and to the addresses: a
/// context of any CUDA device, but nothing runs on that. Times are made up: half a microsecond for
/// the first node, one for the second and so on. The graph must outlive it.
[[nodiscard]] std::unique_ptr<Executor> reference_executor(const hedge::Graph& graph, Place place);

/// By the kernels of the cuda backend, in the types that the plan's ONNX states, on the addresses
/// themselves. The graph has the batch that is wanted. Throws hedge::Error.
[[nodiscard]] std::unique_ptr<Executor> cuda_executor(const hedge::Graph& graph,
                                                      const PlanFile& plan, const Place& place);

/// HEDGE_DOUBLE_EXECUTOR: reference or cuda; else what the double is built for.
[[nodiscard]] bool computes_by_cuda();

}  // namespace hedge_double
