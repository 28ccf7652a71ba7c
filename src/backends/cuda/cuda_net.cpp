// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/cuda_net.h"

#include <fmt/format.h>

#include <cmath>
#include <exception>
#include <utility>

namespace hedge::cuda {
namespace {

/// Programmatic dependent launch.
constexpr int kOverlapMajor = 9;
/// Kernels read the input nearly always once: on an H100 that was sooner done than a copy at all
/// sizes from 64 KiB to 1 MiB, by 1 to 16 us, also where windows or two layers read it again
/// (docs/cuda.md).
constexpr std::size_t kMostMapped = 1024 * 1024;

}  // namespace

std::shared_ptr<const LoadedPlan> load_plan(std::shared_ptr<const Plan> plan) {
  auto loaded = std::make_shared<LoadedPlan>();
  loaded->weights = gpu::device_memory(plan->weights.size());
  gpu::check(cudaMemcpy(loaded->weights.get(), plan->weights.data(), plan->weights.size(),
                        cudaMemcpyHostToDevice),
             "copying the weights");
  loaded->overlap = gpu::device().major >= kOverlapMajor;
  loaded->warnings = warnings_of(*plan);
  loaded->plan = std::move(plan);
  return loaded;
}

CudaNet::CudaNet(std::shared_ptr<const LoadedPlan> loaded)
    : loaded_(std::move(loaded)),
      arena_(gpu::device_memory(loaded_->plan->arena_bytes)),
      host_failure_(std::make_unique<std::string>()) {}

std::size_t CudaNet::input_bytes() const {
  return loaded_->plan->input_elements * sizeof(float);
}

std::vector<std::size_t> CudaNet::output_bytes() const {
  std::vector<std::size_t> bytes;
  for (const std::size_t elements : loaded_->plan->output_elements) {
    bytes.push_back(elements * sizeof(float));
  }
  return bytes;
}

std::size_t CudaNet::most_mapped() const {
  return kMostMapped;
}

std::byte* CudaNet::address_of(const Storage& storage, std::byte* input,
                               std::span<std::byte* const> outputs) const {
  switch (storage.buffer.place) {
    case Buffer::Place::kInput:
      return input;
    case Buffer::Place::kOutput:
      return outputs[storage.buffer.offset];
    case Buffer::Place::kWeights:
      return loaded_->weights.get() + storage.buffer.offset;
    case Buffer::Place::kArena:
      break;
  }
  return arena_.get() + storage.buffer.offset;
}

void CudaNet::bind(cudaStream_t stream, std::byte* input, std::span<std::byte* const> outputs) {
  stream_ = stream;
  const Plan& plan = *loaded_->plan;
  for (const Step& step : plan.steps) {
    BoundStep bound{.step = &step, .buffers = {}, .host = {}};
    for (const Argument& argument : step.arguments) {
      bound.buffers.push_back(address_of(plan.storages.at(argument.storage), input, outputs) +
                              argument.offset);
    }
    if (step.host.run != nullptr) bind_host(bound);
    steps_.push_back(std::move(bound));
  }
}

void CudaNet::bind_host(BoundStep& bound) {
  const HostKernel& kernel = bound.step->host;
  bound.host.kernel = &kernel;
  bound.host.failure = host_failure_.get();
  for (const std::size_t bytes : kernel.bytes) {
    staging_.push_back(gpu::pinned_memory(bytes));
    bound.host.buffers.push_back(staging_.back().get());
  }
}

void CUDART_CB CudaNet::call_host(void* data) {
  const auto& call = *static_cast<const HostCall*>(data);
  try {
    call.kernel->run(call.kernel->parameters.get(), call.buffers.data());
  } catch (const std::exception& error) {  // It must not go through the driver.
    *call.failure = error.what();
  }
}

cudaError_t CudaNet::enqueue_host(BoundStep& bound) {
  const HostKernel& kernel = bound.step->host;
  for (std::size_t i = 0; i < kernel.reads; ++i) {
    const cudaError_t status = cudaMemcpyAsync(bound.host.buffers[i], bound.buffers[i],
                                               kernel.bytes[i], cudaMemcpyDefault, stream_);
    if (status != cudaSuccess) return status;
  }
  if (const cudaError_t status = cudaLaunchHostFunc(stream_, call_host, &bound.host);
      status != cudaSuccess) {
    return status;
  }
  for (std::size_t i = kernel.reads; i < kernel.bytes.size(); ++i) {
    const cudaError_t status = cudaMemcpyAsync(bound.buffers[i], bound.host.buffers[i],
                                               kernel.bytes[i], cudaMemcpyDefault, stream_);
    if (status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

cudaError_t CudaNet::enqueue(BoundStep& bound, const Launch& launch) {
  const Step& step = *bound.step;
  if (step.host.run != nullptr) return enqueue_host(bound);
  return step.device.launch(step.device.parameters.get(), bound.buffers.data(), launch);
}

bool CudaNet::tells() const {
  return !steps_.empty() && steps_.back().step->device.tells;
}

bool CudaNet::lets_successor_begin(bool behind_kernel) const {
  const bool kernel = steps_.empty() ? behind_kernel : steps_.back().step->host.run == nullptr;
  return loaded_->overlap && kernel;
}

cudaError_t CudaNet::enqueue(bool behind_kernel, const Completion& completion) {
  bool after_kernel = behind_kernel;  // Only a kernel can let its successor begin.
  for (BoundStep& step : steps_) {
    Launch launch{stream_, loaded_->overlap && after_kernel};
    if (&step == &steps_.back()) launch.completion = completion;
    if (const cudaError_t status = enqueue(step, launch); status != cudaSuccess) return status;
    after_kernel = step.step->host.run == nullptr;
  }
  return cudaSuccess;
}

std::string CudaNet::uncaptured(cudaError_t status) {
  return fmt::format(
      "the inference was not captured as a CUDA graph ({}); its {} steps are launched one by one, "
      "which takes longer",
      cudaGetErrorString(status), steps_.size());
}

MemoryUse CudaNet::memory() const {
  return {.engine_bytes = loaded_->plan->weights.size(), .arena_bytes = loaded_->plan->arena_bytes};
}

std::vector<LayerProfiler::Layer> CudaNet::layers() {
  std::vector<LayerProfiler::Layer> layers;
  for (const Step& step : loaded_->plan->steps) {
    layers.push_back({step.name, step.kernel, step.multiply_accumulates});
  }
  return layers;
}

cudaError_t CudaNet::enqueue_profiled() {
  while (events_.size() <= steps_.size()) {
    cudaEvent_t event = nullptr;
    if (const cudaError_t status = cudaEventCreate(&event); status != cudaSuccess) return status;
    events_.emplace_back(event);
  }
  // In a graph an event is recorded at each replay only where it is told to be external.
  cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
  (void)cudaStreamIsCapturing(stream_, &capturing);
  const unsigned flags =
      capturing == cudaStreamCaptureStatusNone ? cudaEventRecordDefault : cudaEventRecordExternal;
  for (std::size_t i = 0; i <= steps_.size(); ++i) {
    cudaError_t status = cudaEventRecordWithFlags(events_[i].get(), stream_, flags);
    if (status == cudaSuccess && i < steps_.size()) status = enqueue(steps_[i], {stream_});
    if (status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

void CudaNet::add_layer_times(std::span<std::int64_t> layer_ns) {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    float milliseconds = 0;
    gpu::check(cudaEventElapsedTime(&milliseconds, events_[i].get(), events_[i + 1].get()),
               "the time of a step");
    layer_ns[i] += std::llround(double{milliseconds} * 1e6);
  }
}

std::unique_ptr<gpu::Context> new_context(const std::shared_ptr<const LoadedPlan>& loaded,
                                          const gpu::ExecutionSettings& settings) {
  return gpu::new_context([&] { return std::make_unique<CudaNet>(loaded); }, settings,
                          loaded->warnings);
}

}  // namespace hedge::cuda
