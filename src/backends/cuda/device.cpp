// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "hedge/error.h"

namespace hedge::cuda {
namespace {

std::string advice_for(cudaError_t status) {
  switch (status) {
    case cudaErrorMemoryAllocation:
      return "; the GPU's memory does not suffice: end other programs on it, or take a smaller "
             "--batch";
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorECCUncorrectable:
    case cudaErrorDevicesUnavailable:
    case cudaErrorHardwareStackError:
    case cudaErrorUnknown:
      return "; the GPU is lost to this process: start the program again";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
      return "; these programs are not built for this GPU: build them with its architecture in "
             "CMAKE_CUDA_ARCHITECTURES";
    default:
      return "";
  }
}

}  // namespace

void check(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) [[likely]]
    return;
  (void)cudaGetLastError();
  throw runtime_failure(fmt::format("CUDA: {}: {} ({}){}", what, cudaGetErrorString(status),
                                    cudaGetErrorName(status), advice_for(status)));
}

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

std::optional<std::string> unavailable_reason(int least_major) {
  int driver = 0;
  int runtime = 0;
  (void)cudaRuntimeGetVersion(&runtime);
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    return "no NVIDIA driver (libcuda.so.1) is installed";
  }
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  (void)cudaGetLastError();
  if (status == cudaErrorInsufficientDriver) {
    return fmt::format(
        "the NVIDIA driver is too old: it supports CUDA {}, these programs are built with {}",
        version_text(driver), version_text(runtime));
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && devices == 0)) {
    return "there is no NVIDIA GPU, or CUDA_VISIBLE_DEVICES hides it";
  }
  if (status != cudaSuccess) return fmt::format("CUDA: {}", cudaGetErrorString(status));
  int major = 0;
  int minor = 0;
  (void)cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
  (void)cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0);
  if (major < least_major) {
    return fmt::format("the GPU has compute capability {}.{}; {}.0 or later is needed", major,
                       minor, least_major);
  }
  return std::nullopt;
}

Gpu gpu() {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "the properties of the GPU");
  Gpu result{.name = properties.name,
             .major = properties.major,
             .minor = properties.minor,
             .multiprocessors = properties.multiProcessorCount};
  (void)cudaDriverGetVersion(&result.driver);
  (void)cudaRuntimeGetVersion(&result.runtime);
  return result;
}

std::string description_of(const Gpu& gpu) {
  return fmt::format("CUDA {}, {} (sm_{}{})", version_text(gpu.runtime), gpu.name, gpu.major,
                     gpu.minor);
}

Memory device_memory(std::size_t bytes) {
  void* data = nullptr;
  const std::size_t size = std::max<std::size_t>(bytes, 1);
  check(cudaMalloc(&data, size), fmt::format("{} bytes of the GPU's memory", size));
  Memory memory(static_cast<std::byte*>(data), [](std::byte* p) { cudaFree(p); });
  check(cudaMemset(data, 0, size), "zeroing memory");
  return memory;
}

Memory pinned_memory(std::size_t bytes) {
  void* data = nullptr;
  const std::size_t size = std::max<std::size_t>(bytes, 1);
  check(cudaHostAlloc(&data, size, cudaHostAllocPortable | cudaHostAllocMapped),
        fmt::format("{} bytes of page-locked memory", size));
  std::memset(data, 0, size);
  return {static_cast<std::byte*>(data), [](std::byte* p) { cudaFreeHost(p); }};
}

Stream new_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
  return Stream(stream);
}

}  // namespace hedge::cuda
