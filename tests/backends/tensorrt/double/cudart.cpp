// SPDX-License-Identifier: Apache-2.0
// CUDA's runtime on the memory of the host, as far as the tensorrt backend and the double of
// TensorRT call it: streams do at once what they are told, captures keep it. For tests on machines
// without a GPU; it knows which memory is whose and what may not be called while a stream captures.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "double/control.h"

using hedge_double::Alive;
using hedge_double::complain;
using hedge_double::fails;

using Work = std::function<void()>;

struct CUstream_st {
  Alive alive{"stream"};
  bool capturing = false;
  std::vector<Work> captured;
  cudaError_t failure = cudaSuccess;  ///< Sticks, as a lost GPU does.
};
struct CUgraph_st {
  Alive alive{"graph"};
  std::vector<Work> work;
};
struct CUgraphExec_st {
  Alive alive{"executable graph"};
  std::vector<Work> work;
};
struct CUevent_st {
  Alive alive{"event"};
};

namespace {

constexpr std::size_t kAlignment = 256;
constexpr int kVersion = 12020;

thread_local cudaError_t last_error = cudaSuccess;

struct Allocations {
  std::mutex mutex;
  std::map<const char*, std::size_t> sizes;
};
Allocations& allocations() {
  static Allocations& all = *new Allocations;
  return all;
}

cudaError_t answer(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}

cudaError_t allocate(const char* call, void** memory, std::size_t bytes) {
  if (fails(call)) return answer(cudaErrorMemoryAllocation);
  const std::size_t size =
      (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  *memory = std::aligned_alloc(kAlignment, size);
  const std::lock_guard lock(allocations().mutex);
  allocations().sizes[static_cast<const char*>(*memory)] = bytes;
  hedge_double::count_alive("memory", 1);
  return cudaSuccess;
}

cudaError_t release(const char* call, void* memory) {
  if (fails(call)) return answer(cudaErrorInvalidValue);
  if (memory == nullptr) return cudaSuccess;
  const std::lock_guard lock(allocations().mutex);
  if (allocations().sizes.erase(static_cast<const char*>(memory)) == 0) {
    complain(std::string(call) + " of memory that is not CUDA's");
    return answer(cudaErrorInvalidValue);
  }
  hedge_double::count_alive("memory", -1);
  std::free(memory);
  return cudaSuccess;
}

/// Within one allocation of CUDA's.
bool is_known(const void* begin, std::size_t bytes) {
  const std::lock_guard lock(allocations().mutex);
  const auto& sizes = allocations().sizes;
  auto after = sizes.upper_bound(static_cast<const char*>(begin));
  if (after == sizes.begin()) return false;
  const auto& [start, size] = *std::prev(after);
  return static_cast<const char*>(begin) + bytes <= start + size;
}

cudaError_t send(cudaStream_t stream, Work work) {
  if (stream == nullptr) {
    work();
    return cudaSuccess;
  }
  if (stream->failure != cudaSuccess) return answer(stream->failure);
  if (stream->capturing) {
    stream->captured.push_back(std::move(work));
  } else {
    work();
  }
  return cudaSuccess;
}

/// A wait or query while a stream captures ends the capture with an error.
bool forbidden_in_capture(cudaStream_t stream, const char* call) {
  if (stream == nullptr || !stream->capturing) return false;
  complain(std::string(call) + " on a stream that captures");
  return true;
}

}  // namespace

extern "C" {

cudaError_t cudaDriverGetVersion(int* version) {
  *version = kVersion;
  return fails("cudaDriverGetVersion") ? answer(cudaErrorInvalidValue) : cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = kVersion;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return fails("cudaGetDeviceCount") ? answer(cudaErrorNoDevice) : cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int /*device*/) {
  *value = attribute == cudaDevAttrComputeCapabilityMajor   ? 8
           : attribute == cudaDevAttrComputeCapabilityMinor ? 7
                                                            : 1;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int /*device*/) {
  *properties = cudaDeviceProp{};
  std::strcpy(properties->name, "double of a GPU");
  properties->major = 8;
  properties->minor = 7;
  properties->multiProcessorCount = 8;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *free = *total = std::size_t{1} << 30U;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  return allocate("cudaMalloc", memory, bytes);
}
cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned /*flags*/) {
  return allocate("cudaHostAlloc", memory, bytes);
}
cudaError_t cudaMallocManaged(void** memory, std::size_t bytes, unsigned /*flags*/) {
  return allocate("cudaMallocManaged", memory, bytes);
}
cudaError_t cudaFree(void* memory) {
  return release("cudaFree", memory);
}
cudaError_t cudaFreeHost(void* memory) {
  return release("cudaFreeHost", memory);
}
cudaError_t cudaMemset(void* memory, int value, std::size_t bytes) {
  if (!is_known(memory, bytes)) complain("cudaMemset beyond an allocation");
  std::memset(memory, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind /*kind*/) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind /*kind*/,
                            cudaStream_t stream) {
  if (fails("cudaMemcpyAsync")) return answer(cudaErrorInvalidValue);
  if (!is_known(to, bytes) || !is_known(from, bytes)) {
    complain("cudaMemcpyAsync of memory that is not page-locked, or beyond an allocation");
  }
  return send(stream, [=] { std::memcpy(to, from, bytes); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned /*flags*/) {
  if (fails("cudaStreamCreateWithFlags")) return answer(cudaErrorMemoryAllocation);
  *stream = new CUstream_st;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (stream->capturing) complain("cudaStreamDestroy of a stream that captures");
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  if (fails("cudaStreamQuery")) return answer(stream->failure = cudaErrorIllegalAddress);
  if (forbidden_in_capture(stream, "cudaStreamQuery")) {
    return answer(cudaErrorStreamCaptureUnsupported);
  }
  return answer(stream->failure);
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (fails("cudaStreamSynchronize")) return answer(cudaErrorIllegalAddress);
  if (forbidden_in_capture(stream, "cudaStreamSynchronize")) {
    return answer(cudaErrorStreamCaptureUnsupported);
  }
  return answer(stream == nullptr ? cudaSuccess : stream->failure);
}
cudaError_t cudaStreamAttachMemAsync(cudaStream_t stream, void* memory, std::size_t /*length*/,
                                     unsigned /*flags*/) {
  if (fails("cudaStreamAttachMemAsync")) return answer(cudaErrorInvalidValue);
  if (!is_known(memory, 0)) complain("cudaStreamAttachMemAsync of memory that is not CUDA's");
  return send(stream, [] {});
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode /*mode*/) {
  if (fails("cudaStreamBeginCapture")) return answer(cudaErrorStreamCaptureUnsupported);
  if (stream->capturing) complain("cudaStreamBeginCapture twice");
  stream->capturing = true;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (!stream->capturing) complain("cudaStreamEndCapture without a beginning");
  stream->capturing = false;
  *graph = nullptr;
  std::vector<Work> work;
  work.swap(stream->captured);
  if (fails("cudaStreamEndCapture")) return answer(cudaErrorStreamCaptureInvalidated);
  *graph = new CUgraph_st{.alive = Alive("graph"), .work = std::move(work)};
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  *status = stream->capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph,
                                          unsigned long long /*flags*/) {
  if (fails("cudaGraphInstantiateWithFlags")) return answer(cudaErrorMemoryAllocation);
  *executable = new CUgraphExec_st{.alive = Alive("executable graph"), .work = graph->work};
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t /*graph*/, cudaStream_t /*stream*/) {
  return fails("cudaGraphUpload") ? answer(cudaErrorMemoryAllocation) : cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  if (fails("cudaGraphLaunch")) return answer(cudaErrorLaunchFailure);
  for (const Work& work : graph->work) work();
  return answer(stream->failure);
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  if (fails("cudaLaunchHostFunc")) return answer(cudaErrorLaunchFailure);
  return send(stream, [=] { function(data); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned /*flags*/) {
  *event = new CUevent_st;
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, 0);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t /*event*/, cudaStream_t stream) {
  return send(stream, [] {});
}
cudaError_t cudaEventSynchronize(cudaEvent_t /*event*/) {
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  return std::exchange(last_error, cudaSuccess);
}
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorIllegalAddress:
      return "an illegal memory access was encountered";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    default:
      return "another error";
  }
}
const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    default:
      return "cudaErrorOther";
  }
}

}  // extern "C"
