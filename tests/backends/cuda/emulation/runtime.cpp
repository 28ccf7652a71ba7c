// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/emulation/runtime.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "backends/cuda/emulation/block.h"
#include "backends/cuda/emulation/control.h"

// What the backend and its tests use of the CUDA runtime, for one GPU of compute capability 9.0
// that is this CPU: whatever is sent to a stream is done before the call returns. Memory has an
// end, and is the host's, by malloc, so that a sanitizer sees who goes beyond. Calls are noted and
// can be made to fail, and what breaks CUDA's rules is complained of (control.h).

using hedge_double::Alive;
using hedge_double::complain;
using hedge_double::fails;
using Work = std::function<cudaError_t()>;
using Clock = std::chrono::steady_clock;

struct CUgraph_st {
  Alive alive{"graph"};
  std::vector<Work> nodes;
  std::vector<std::byte> last_launch;  ///< Empty: the last node is none.
  bool repeats = false;                ///< A launch after itself, which is no node then.
};
struct CUgraphExec_st {
  Alive alive{"executable graph"};
  std::vector<Work> nodes;
  bool repeats = false;
  bool has_run = false;
};
struct CUstream_st {
  Alive alive{"stream"};
  std::unique_ptr<CUgraph_st> captured;  ///< Null: nothing is captured.
  bool broken = false;                   ///< The capture, by a call that may not be in it.
  cudaError_t failure = cudaSuccess;     ///< Stays, as a lost GPU does.
};
struct CUevent_st {
  Alive alive{"event"};
  Clock::time_point time;
};

namespace {

constexpr std::size_t kTotalBytes = std::size_t{1} << 30U;
constexpr int kVersion = 13000;
constexpr std::size_t kMostSharedBytes = 48 * 1024;
/// As cudaMalloc aligns.
constexpr std::size_t kAlignment = 256;

thread_local cudaError_t last_error = cudaSuccess;
std::mutex memory_lock;
std::map<const std::byte*, std::size_t> allocations;
std::size_t used_bytes = 0;

cudaError_t told(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}

cudaError_t allocate(const char* call, void** to, std::size_t bytes) {
  if (fails(call)) return told(cudaErrorMemoryAllocation);
  const std::lock_guard lock(memory_lock);
  if (bytes > kTotalBytes - used_bytes) return told(cudaErrorMemoryAllocation);
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, bytes) != 0) return told(cudaErrorMemoryAllocation);
  allocations[static_cast<std::byte*>(memory)] = bytes;
  used_bytes += bytes;
  hedge_double::count_alive("memory", 1);
  *to = memory;
  return cudaSuccess;
}

cudaError_t release(const char* call, void* memory) {
  const std::lock_guard lock(memory_lock);
  if (memory == nullptr) return cudaSuccess;
  const auto found = allocations.find(static_cast<std::byte*>(memory));
  if (found == allocations.end()) {
    complain(std::string(call) + " of memory that is not CUDA's");
    return told(cudaErrorInvalidValue);
  }
  used_bytes -= found->second;
  allocations.erase(found);
  hedge_double::count_alive("memory", -1);
  std::free(memory);
  return cudaSuccess;
}

/// Within one allocation of CUDA's.
bool is_known(const void* begin, std::size_t bytes) {
  const std::lock_guard lock(memory_lock);
  const auto* first = static_cast<const std::byte*>(begin);
  const auto after = allocations.upper_bound(first);
  if (after == allocations.begin()) return false;
  const auto& [start, size] = *std::prev(after);
  return first + bytes <= start + size;
}

cudaError_t enqueue(cudaStream_t stream, Work work) {
  if (stream == nullptr) (void)fails("work on the default stream");  // To be counted.
  if (stream != nullptr && stream->failure != cudaSuccess) return told(stream->failure);
  if (stream == nullptr || !stream->captured) return told(work());
  stream->captured->last_launch.clear();
  stream->captured->nodes.push_back(std::move(work));
  return cudaSuccess;
}

/// The tuner's graphs are one launch again and again, for a time that says nothing here: once is
/// enough, and so is one run of such a graph, since the same launch again leaves the same memory.
bool is_repetition(cudaStream_t stream, const std::vector<std::byte>& launch) {
  return stream != nullptr && stream->captured && stream->captured->last_launch == launch;
}

/// Of calls that wait: none may be in a capture.
cudaError_t wait(const char* call, cudaStream_t stream) {
  const bool lost = fails(call);
  if (stream == nullptr) return lost ? told(cudaErrorIllegalAddress) : cudaSuccess;
  if (lost) stream->failure = cudaErrorIllegalAddress;
  if (!stream->captured) return told(stream->failure);
  complain(std::string(call) + " on a stream that captures");
  stream->broken = true;
  return told(cudaErrorStreamCaptureUnsupported);
}

cudaError_t run_all(const std::vector<Work>& nodes) {
  for (const Work& node : nodes) {
    if (const cudaError_t status = node(); status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

bool is_valid(const cudaLaunchConfig_t& config) {
  const auto count = [](const dim3& d) { return std::size_t{d.x} * d.y * d.z; };
  return count(config.gridDim) > 0 && count(config.blockDim) > 0 &&
         count(config.blockDim) <= 1024 && config.gridDim.y <= 65535 && config.gridDim.z <= 65535 &&
         config.dynamicSmemBytes <= kMostSharedBytes;
}

cudaError_t record(cudaEvent_t event) {
  event->time = Clock::now();
  return cudaSuccess;
}

}  // namespace

namespace hedge::emulation {

cudaError_t enqueue_grid(const cudaLaunchConfig_t& config, std::function<void()> thread,
                         std::vector<std::byte> identity) {
  if (!is_valid(config)) return told(cudaErrorInvalidConfiguration);
  if (is_repetition(config.stream, identity)) {
    config.stream->captured->repeats = true;
    return cudaSuccess;
  }
  const Grid grid{config.gridDim, config.blockDim, config.dynamicSmemBytes};
  const cudaError_t status = enqueue(config.stream, [grid, thread = std::move(thread)] {
    run_grid(grid, thread);
    return cudaSuccess;
  });
  if (config.stream != nullptr && config.stream->captured) {
    config.stream->captured->last_launch = std::move(identity);
  }
  return status;
}

}  // namespace hedge::emulation

extern "C" {

const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaErrorMemoryAllocation           ? "cudaErrorMemoryAllocation"
         : error == cudaErrorInvalidValue             ? "cudaErrorInvalidValue"
         : error == cudaErrorInvalidConfiguration     ? "cudaErrorInvalidConfiguration"
         : error == cudaErrorIllegalAddress           ? "cudaErrorIllegalAddress"
         : error == cudaErrorStreamCaptureUnsupported ? "cudaErrorStreamCaptureUnsupported"
         : error == cudaErrorStreamCaptureInvalidated ? "cudaErrorStreamCaptureInvalidated"
                                                      : "an error of the emulated GPU";
}
const char* cudaGetErrorString(cudaError_t error) {
  return cudaGetErrorName(error);
}
cudaError_t cudaGetLastError() {
  return std::exchange(last_error, cudaSuccess);
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = kVersion;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = kVersion;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return fails("cudaGetDeviceCount") ? told(cudaErrorNoDevice) : cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int /*device*/) {
  switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
      *value = 9;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
    case cudaDevAttrIntegrated:
      *value = 0;
      return cudaSuccess;
    case cudaDevAttrManagedMemory:
    case cudaDevAttrConcurrentManagedAccess:
      *value = 1;
      return cudaSuccess;
    case cudaDevAttrMaxPersistingL2CacheSize:
      *value = fails("cudaDevAttrMaxPersistingL2CacheSize") ? 0 : 32 * 1024 * 1024;
      return cudaSuccess;
    default:
      return told(cudaErrorInvalidValue);
  }
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int /*device*/) {
  *properties = {};
  std::snprintf(properties->name, sizeof(properties->name), "emulated GPU");
  properties->major = 9;
  properties->multiProcessorCount = 132;
  properties->totalGlobalMem = kTotalBytes;
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** to, std::size_t bytes) {
  return allocate("cudaMalloc", to, bytes);
}
cudaError_t cudaMallocManaged(void** to, std::size_t bytes, unsigned /*flags*/) {
  return allocate("cudaMallocManaged", to, bytes);
}
cudaError_t cudaHostAlloc(void** to, std::size_t bytes, unsigned /*flags*/) {
  return allocate("cudaHostAlloc", to, bytes);
}
cudaError_t cudaFree(void* memory) {
  return release("cudaFree", memory);
}
cudaError_t cudaFreeHost(void* memory) {
  return release("cudaFreeHost", memory);
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  const std::lock_guard lock(memory_lock);
  *free = kTotalBytes - used_bytes;
  *total = kTotalBytes;
  return cudaSuccess;
}
cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  if (!is_known(to, bytes)) complain("cudaMemset beyond an allocation");
  std::memset(to, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind /*kind*/) {
  if (bytes > 0) std::memmove(to, from, bytes);  // Pointers to nothing may be null.
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind /*kind*/,
                            cudaStream_t stream) {
  if (fails("cudaMemcpyAsync")) return told(cudaErrorInvalidValue);
  if (!is_known(to, bytes) || !is_known(from, bytes)) {
    complain("cudaMemcpyAsync of memory that is not page-locked, or beyond an allocation");
  }
  return enqueue(stream, [to, from, bytes] {
    std::memmove(to, from, bytes);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamAttachMemAsync(cudaStream_t /*stream*/, void* memory, std::size_t /*bytes*/,
                                     unsigned /*flags*/) {
  if (fails("cudaStreamAttachMemAsync")) return told(cudaErrorInvalidValue);
  if (!is_known(memory, 0)) complain("cudaStreamAttachMemAsync of memory that is not CUDA's");
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned /*flags*/) {
  if (fails("cudaStreamCreateWithFlags")) return told(cudaErrorMemoryAllocation);
  *stream = new CUstream_st;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (stream->captured) complain("cudaStreamDestroy of a stream that captures");
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return wait("cudaStreamSynchronize", stream);
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return wait("cudaStreamQuery", stream);
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* argument) {
  if (fails("cudaLaunchHostFunc")) return told(cudaErrorLaunchFailure);
  return enqueue(stream, [function, argument] {
    function(argument);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode /*mode*/) {
  if (fails("cudaStreamBeginCapture")) return told(cudaErrorStreamCaptureUnsupported);
  if (stream == nullptr || stream->captured) {
    complain("cudaStreamBeginCapture twice");
    return told(cudaErrorIllegalState);
  }
  stream->captured = std::make_unique<CUgraph_st>();
  stream->broken = false;
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  *status = stream == nullptr || !stream->captured ? cudaStreamCaptureStatusNone
                                                   : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  auto captured = std::move(stream->captured);
  *graph = nullptr;
  if (!captured) {
    complain("cudaStreamEndCapture without a beginning");
    return told(cudaErrorIllegalState);
  }
  if (stream->broken || fails("cudaStreamEndCapture"))
    return told(cudaErrorStreamCaptureInvalidated);
  *graph = captured.release();
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph,
                                          unsigned long long /*flags*/) {
  if (fails("cudaGraphInstantiateWithFlags")) return told(cudaErrorMemoryAllocation);
  *executable = new CUgraphExec_st{.nodes = graph->nodes, .repeats = graph->repeats};
  return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t /*graph*/, cudaStream_t /*stream*/) {
  return fails("cudaGraphUpload") ? told(cudaErrorMemoryAllocation) : cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  if (fails("cudaGraphLaunch")) return told(cudaErrorLaunchFailure);
  if (stream->failure != cudaSuccess) return told(stream->failure);
  if (std::exchange(graph->has_run, true) && graph->repeats) return cudaSuccess;
  return told(run_all(graph->nodes));
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete graph;
  return cudaSuccess;
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
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned /*flags*/) {
  return enqueue(stream, [event] { return record(event); });
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return cudaEventRecordWithFlags(event, stream, 0);
}
cudaError_t cudaEventSynchronize(cudaEvent_t /*event*/) {
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
  return cudaSuccess;
}
}
