// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/cuda_context.h"

#include <fmt/format.h>

#include <cmath>
#include <exception>
#include <utility>

#include "hedge/error.h"

namespace hedge::cuda {
namespace {

/// Up to so many bytes kernels read and write the host's memory themselves: a copy of its own costs
/// more than the way over the bus.
constexpr std::size_t kMostMapped = 64 * 1024;
/// Programmatic dependent launch.
constexpr int kOverlapMajor = 9;

}  // namespace

std::shared_ptr<const LoadedPlan> load_plan(std::shared_ptr<const Plan> plan) {
  auto loaded = std::make_shared<LoadedPlan>();
  loaded->weights = device_memory(plan->weights.size());
  check(cudaMemcpy(loaded->weights.get(), plan->weights.data(), plan->weights.size(),
                   cudaMemcpyHostToDevice),
        "copying the weights");
  loaded->overlap = gpu().major >= kOverlapMajor;
  loaded->warnings = warnings_of(*plan);
  loaded->plan = std::move(plan);
  return loaded;
}

CudaContext::Border CudaContext::border(std::size_t bytes) {
  return {pinned_memory(bytes), bytes > kMostMapped ? device_memory(bytes) : nullptr, bytes};
}

CudaContext::CudaContext(std::shared_ptr<const LoadedPlan> loaded)
    : loaded_(std::move(loaded)),
      stream_(new_stream()),
      arena_(device_memory(loaded_->plan->arena_bytes)),
      input_(border(loaded_->plan->input_elements * sizeof(float))),
      warnings_(loaded_->warnings) {
  for (const std::size_t elements : loaded_->plan->output_elements) {
    outputs_.push_back(border(elements * sizeof(float)));
  }
  bind();
  prepare();
}

CudaContext::~CudaContext() {
  (void)cudaStreamSynchronize(stream_.get());
}

std::byte* CudaContext::address_of(const Storage& storage) const {
  switch (storage.buffer.place) {
    case Buffer::Place::kInput:
      return input_.seen();
    case Buffer::Place::kOutput:
      return outputs_.at(storage.buffer.offset).seen();
    case Buffer::Place::kWeights:
      return loaded_->weights.get() + storage.buffer.offset;
    case Buffer::Place::kArena:
      break;
  }
  return arena_.get() + storage.buffer.offset;
}

void CudaContext::bind() {
  for (const Step& step : loaded_->plan->steps) {
    BoundStep bound{.step = &step, .buffers = {}, .host = {}};
    for (const Argument& argument : step.arguments) {
      bound.buffers.push_back(address_of(loaded_->plan->storages.at(argument.storage)) +
                              argument.offset);
    }
    if (step.host.run != nullptr) bind_host(bound);
    steps_.push_back(std::move(bound));
  }
}

void CudaContext::bind_host(BoundStep& bound) {
  const HostKernel& kernel = bound.step->host;
  bound.host.kernel = &kernel;
  bound.host.failure = &host_failure_;
  for (const std::size_t bytes : kernel.bytes) {
    staging_.push_back(pinned_memory(bytes));
    bound.host.buffers.push_back(staging_.back().get());
  }
}

void CUDART_CB CudaContext::call_host(void* data) {
  const auto& call = *static_cast<const HostCall*>(data);
  try {
    call.kernel->run(call.kernel->parameters.get(), call.buffers.data());
  } catch (const std::exception& error) {  // It must not go through the driver.
    *call.failure = error.what();
  }
}

cudaError_t CudaContext::enqueue_host(BoundStep& bound) {
  const HostKernel& kernel = bound.step->host;
  for (std::size_t i = 0; i < kernel.reads; ++i) {
    const cudaError_t status = cudaMemcpyAsync(bound.host.buffers[i], bound.buffers[i],
                                               kernel.bytes[i], cudaMemcpyDefault, stream_.get());
    if (status != cudaSuccess) return status;
  }
  if (const cudaError_t status = cudaLaunchHostFunc(stream_.get(), call_host, &bound.host);
      status != cudaSuccess) {
    return status;
  }
  for (std::size_t i = kernel.reads; i < kernel.bytes.size(); ++i) {
    const cudaError_t status = cudaMemcpyAsync(bound.buffers[i], bound.host.buffers[i],
                                               kernel.bytes[i], cudaMemcpyDefault, stream_.get());
    if (status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

cudaError_t CudaContext::enqueue(BoundStep& bound, bool overlap) {
  const Step& step = *bound.step;
  if (step.host.run != nullptr) return enqueue_host(bound);
  return step.device.launch(step.device.parameters.get(), bound.buffers.data(),
                            {stream_.get(), overlap});
}

cudaError_t CudaContext::enqueue_copy_in() {
  if (!input_.device) return cudaSuccess;
  return cudaMemcpyAsync(input_.device.get(), input_.host.get(), input_.bytes,
                         cudaMemcpyHostToDevice, stream_.get());
}

cudaError_t CudaContext::enqueue_copy_out() {
  for (const Border& output : outputs_) {
    if (!output.device) continue;
    const cudaError_t status = cudaMemcpyAsync(output.host.get(), output.device.get(), output.bytes,
                                               cudaMemcpyDeviceToHost, stream_.get());
    if (status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

cudaError_t CudaContext::enqueue_all() {
  if (const cudaError_t status = enqueue_copy_in(); status != cudaSuccess) return status;
  bool after_kernel = false;  // Only a kernel can let its successor begin.
  for (BoundStep& step : steps_) {
    const cudaError_t status = enqueue(step, loaded_->overlap && after_kernel);
    if (status != cudaSuccess) return status;
    after_kernel = step.step->host.run == nullptr;
  }
  return enqueue_copy_out();
}

/// A run step by step loads the kernels and shows what is wrong; only then is it captured.
void CudaContext::prepare() {
  check(enqueue_all(), "the first run");
  wait();
  cudaError_t status = cudaSuccess;
  graph_ = capture(stream_.get(), status, [&] { return enqueue_all(); });
  if (graph_) {
    check(cudaGraphUpload(graph_.get(), stream_.get()), "uploading the graph");
    return wait();
  }
  warnings_.push_back(
      fmt::format("the inference was not captured as a CUDA graph ({}); its {} steps are launched "
                  "one by one, which takes longer",
                  cudaGetErrorString(status), steps_.size()));
}

void CudaContext::wait() {
  cudaError_t status = cudaErrorNotReady;
  while (status == cudaErrorNotReady) status = cudaStreamQuery(stream_.get());
  check(status, "an inference");
  if (!host_failure_.empty()) [[unlikely]] {
    throw runtime_failure(std::exchange(host_failure_, {}));
  }
}

void CudaContext::infer() {
  check(graph_ ? cudaGraphLaunch(graph_.get(), stream_.get()) : enqueue_all(), "an inference");
  wait();
}

std::span<float> CudaContext::input() {
  return {reinterpret_cast<float*>(input_.host.get()), input_.bytes / sizeof(float)};
}

std::span<const float> CudaContext::output(std::size_t index) const {
  const Border& border = outputs_.at(index);
  return {reinterpret_cast<const float*>(border.host.get()), border.bytes / sizeof(float)};
}

MemoryUse CudaContext::memory() const {
  return {.engine_bytes = loaded_->plan->weights.size(), .arena_bytes = loaded_->plan->arena_bytes};
}

std::vector<LayerProfiler::Layer> CudaContext::layers() const {
  std::vector<Layer> layers;
  for (const Step& step : loaded_->plan->steps) {
    layers.push_back({step.name, step.kernel, step.multiply_accumulates});
  }
  return layers;
}

cudaError_t CudaContext::enqueue_profiled() {
  if (const cudaError_t status = enqueue_copy_in(); status != cudaSuccess) return status;
  // In a graph an event is recorded at each replay only where it is told to be external.
  cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
  (void)cudaStreamIsCapturing(stream_.get(), &capturing);
  const unsigned flags =
      capturing == cudaStreamCaptureStatusNone ? cudaEventRecordDefault : cudaEventRecordExternal;
  for (std::size_t i = 0; i <= steps_.size(); ++i) {
    cudaError_t status = cudaEventRecordWithFlags(events_[i].get(), stream_.get(), flags);
    if (status == cudaSuccess && i < steps_.size()) status = enqueue(steps_[i], false);
    if (status != cudaSuccess) return status;
  }
  return enqueue_copy_out();
}

void CudaContext::prepare_profile() {
  for (std::size_t i = 0; i <= steps_.size(); ++i) {
    cudaEvent_t event = nullptr;
    check(cudaEventCreate(&event), "an event");
    events_.emplace_back(event);
  }
  if (!graph_) return;
  cudaError_t status = cudaSuccess;
  profile_graph_ = capture(stream_.get(), status, [&] { return enqueue_profiled(); });
}

void CudaContext::infer_profiled(std::span<std::int64_t> layer_ns) {
  if (layer_ns.size() != steps_.size()) {
    throw runtime_failure(fmt::format("{} times for {} layers", layer_ns.size(), steps_.size()));
  }
  if (events_.empty()) prepare_profile();
  check(profile_graph_ ? cudaGraphLaunch(profile_graph_.get(), stream_.get()) : enqueue_profiled(),
        "a profiled inference");
  wait();
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, events_[i].get(), events_[i + 1].get()),
          "the time of a step");
    layer_ns[i] += std::llround(double{milliseconds} * 1e6);
  }
}

}  // namespace hedge::cuda
