// SPDX-License-Identifier: Apache-2.0
#include "backends/gpu/device.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "hedge/error.h"

namespace hedge::gpu {
namespace {

std::string advice_for(cudaError_t status) {
  switch (status) {
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

std::string bytes_text(std::size_t bytes) {
  const bool small = bytes < 1'000'000;
  return fmt::format("{:.1f} {}", static_cast<double>(bytes) / (small ? 1e3 : 1e6),
                     small ? "kB" : "MB");
}

Error out_of_memory(std::string_view what, std::size_t wanted, std::size_t free,
                    std::size_t total) {
  (void)cudaGetLastError();
  return runtime_failure(fmt::format(
      "CUDA: out of memory: {} of {} wanted, {} of {} are free; end other programs, or take a "
      "smaller --batch",
      bytes_text(wanted), what, bytes_text(free), bytes_text(total)));
}

}  // namespace

void check(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) [[likely]]
    return;
  (void)cudaGetLastError();
  throw runtime_failure(fmt::format("CUDA: {}: {} ({}){}", what, cudaGetErrorString(status),
                                    cudaGetErrorName(status), advice_for(status)));
}

void check_allocation(cudaError_t status, std::size_t bytes) {
  if (status != cudaErrorMemoryAllocation) return check(status, "the GPU's memory");
  std::size_t free = 0;
  std::size_t total = 0;
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) {
    (void)cudaGetLastError();
    throw runtime_failure(
        "CUDA: out of memory: less of the GPU's memory is free than the driver itself needs; end "
        "other programs (nvidia-smi lists them)");
  }
  throw out_of_memory("the GPU's memory", bytes, free, total);
}

int device_attribute(cudaDeviceAttr attribute) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, attribute, 0), "an attribute of the GPU");
  return value;
}

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

std::optional<std::string> unavailable_reason() {
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
  if (status != cudaSuccess) {
    return fmt::format("the NVIDIA driver does not work: {} ({}); nvidia-smi may say more",
                       cudaGetErrorString(status), cudaGetErrorName(status));
  }
  int major = 0;
  int minor = 0;
  (void)cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
  (void)cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0);
  if (major < kLeastMajor) {
    return fmt::format("the GPU has compute capability {}.{}; {}.0 or later is needed", major,
                       minor, kLeastMajor);
  }
  return std::nullopt;
}

Device device() {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "the properties of the GPU");
  Device result{.name = properties.name,
                .major = properties.major,
                .minor = properties.minor,
                .multiprocessors = properties.multiProcessorCount};
  (void)cudaDriverGetVersion(&result.driver);
  (void)cudaRuntimeGetVersion(&result.runtime);
  return result;
}

std::string description_of(const Device& device) {
  return fmt::format("CUDA {}, {} (sm_{}{})", version_text(device.runtime), device.name,
                     device.major, device.minor);
}

Memory device_memory(std::size_t bytes) {
  void* data = nullptr;
  const std::size_t size = std::max<std::size_t>(bytes, 1);
  check_allocation(cudaMalloc(&data, size), size);
  Memory memory(static_cast<std::byte*>(data), [](std::byte* p) { cudaFree(p); });
  check(cudaMemset(data, 0, size), "zeroing memory");
  // Streams that do not wait for the default one must not overtake it.
  check(cudaStreamSynchronize(nullptr), "zeroing memory");
  return memory;
}

Memory pinned_memory(std::size_t bytes) {
  void* data = nullptr;
  const std::size_t size = std::max<std::size_t>(bytes, 1);
  const cudaError_t status =
      cudaHostAlloc(&data, size, cudaHostAllocPortable | cudaHostAllocMapped);
  if (status == cudaErrorMemoryAllocation) {
    const auto pages = [](int name) { return static_cast<std::size_t>(sysconf(name)); };
    throw out_of_memory("page-locked memory of the host", size,
                        pages(_SC_AVPHYS_PAGES) * pages(_SC_PAGESIZE),
                        pages(_SC_PHYS_PAGES) * pages(_SC_PAGESIZE));
  }
  check(status, "page-locked memory");
  std::memset(data, 0, size);
  return {static_cast<std::byte*>(data), [](std::byte* p) { cudaFreeHost(p); }};
}

Stream new_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
  return Stream(stream);
}

}  // namespace hedge::gpu
