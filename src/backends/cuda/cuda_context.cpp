// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/cuda_context.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <tuple>
#include <utility>

#include "backends/cuda/kernels/completion.h"
#include "base/clock.h"
#include "engine/gpu_options.h"
#include "hedge/error.h"

namespace hedge::cuda {
namespace {

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

ExecutionSettings settings_of(const GpuOptions& options) {
  ExecutionSettings settings;
  settings.wait = options.wait.value_or(settings.wait);
  settings.memory = options.memory.value_or(settings.memory);
  settings.cuda_graph = options.cuda_graph.value_or(settings.cuda_graph);
  return settings;
}

CudaContext::CudaContext(const ExecutionSettings& settings,
                         std::shared_ptr<const LoadedPlan> loaded)
    : loaded_(std::move(loaded)),
      settings_(settings),
      stream_(new_stream()),
      arena_(device_memory(loaded_->plan->arena_bytes)),
      host_failure_(std::make_unique<std::string>()),
      warnings_(loaded_->warnings) {}

/// Delegates, so that the destructor runs where this throws.
CudaContext::CudaContext(std::shared_ptr<const LoadedPlan> loaded,
                         const ExecutionSettings& settings)
    : CudaContext(settings, std::move(loaded)) {
  make_borders();
  bind();
  take_scores();
  prepare();
}

CudaContext::~CudaContext() {
  if (waiter_ && waiter_->gave_up()) {
    leave_everything();
  } else {
    (void)cudaStreamSynchronize(stream_.get());
  }
}

/// The GPU may still use all this, and the driver would wait for it before it frees any.
void CudaContext::leave_everything() {
  (void)new auto(std::make_tuple(std::move(loaded_), std::move(stream_), std::move(arena_),
                                 std::move(input_), std::move(outputs_), std::move(waiter_),
                                 std::move(staging_), std::move(steps_), std::move(host_failure_),
                                 std::move(graph_), std::move(events_), std::move(profile_graph_),
                                 std::move(pixels_), std::move(split_)));
}

void CudaContext::make_borders() {
  const Plan& plan = *loaded_->plan;
  const auto border = [&](Direction direction, std::size_t bytes) {
    return make_border(settings_.memory, direction, bytes, stream_.get());
  };
  if (settings_.pixels) pixels_.emplace(*settings_.pixels, plan.input_elements);
  input_ = border(Direction::kIn, pixels_ ? pixels_->bytes() : plan.input_elements * sizeof(float));
  for (const std::size_t elements : plan.output_elements) {
    outputs_.push_back(border(Direction::kOut, elements * sizeof(float)));
  }
  // The host may not touch managed memory before the driver knows that the stream is done.
  waiter_.emplace(settings_.wait, !is_managed(settings_.memory), settings_.limit);
  if (settings_.memory == MemoryMode::kManagedOriginal &&
      device_attribute(cudaDevAttrConcurrentManagedAccess) == 0) {
    warnings_.emplace_back(
        "memory managed-original: kernels write what is attached to the host, which CUDA does not "
        "allow on this GPU; the original does so, --memory=managed does not");
  }
}

std::byte* CudaContext::address_of(const Storage& storage) const {
  switch (storage.buffer.place) {
    case Buffer::Place::kInput:
      return pixels_ ? pixels_->tensor() : input_.seen();
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
  bound.host.failure = host_failure_.get();
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

cudaError_t CudaContext::enqueue(BoundStep& bound, const Launch& launch) {
  const Step& step = *bound.step;
  if (step.host.run != nullptr) return enqueue_host(bound);
  return step.device.launch(step.device.parameters.get(), bound.buffers.data(), launch);
}

cudaError_t CudaContext::enqueue_copy_in() {
  if (input_.mode != MemoryMode::kPinned) return cudaSuccess;
  return enqueue_copy(input_, Direction::kIn, stream_.get());
}

cudaError_t CudaContext::enqueue_preprocess() {
  return pixels_ ? pixels_->enqueue(input_.seen(), stream_.get()) : cudaSuccess;
}

cudaError_t CudaContext::enqueue_copy_out() {
  for (const Border& output : outputs_) {
    if (output.mode != MemoryMode::kPinned) continue;
    const cudaError_t status = enqueue_copy(output, Direction::kOut, stream_.get());
    if (status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

bool CudaContext::copies_out() const {
  return std::any_of(outputs_.begin(), outputs_.end(),
                     [](const Border& output) { return output.mode == MemoryMode::kPinned; });
}

bool CudaContext::last_step_tells() const {
  return !copies_out() && !steps_.empty() && steps_.back().step->device.tells;
}

/// The scores come with the word where the last step writes them, and nothing else is written.
void CudaContext::take_scores() {
  const bool alone = outputs_.size() == 1 && outputs_[0].mode == MemoryMode::kMapped;
  if (!alone || !last_step_tells()) return;
  waiter_->take_scores(
      {reinterpret_cast<float*>(outputs_[0].host.get()), outputs_[0].bytes / sizeof(float)});
}

cudaError_t CudaContext::enqueue_steps(const Completion& completion) {
  bool after_kernel = pixels_.has_value();  // Only a kernel can let its successor begin.
  for (BoundStep& step : steps_) {
    Launch launch{stream_.get(), loaded_->overlap && after_kernel};
    if (&step == &steps_.back()) launch.completion = completion;
    if (const cudaError_t status = enqueue(step, launch); status != cudaSuccess) return status;
    after_kernel = step.step->host.run == nullptr;
  }
  return cudaSuccess;
}

/// The host is told behind everything, by the last step where that can tell.
cudaError_t CudaContext::enqueue_rest(const Completion& completion) {
  const bool last_tells = last_step_tells();
  cudaError_t status = enqueue_steps(last_tells ? completion : Completion{});
  if (status == cudaSuccess) status = enqueue_copy_out();
  if (status != cudaSuccess || last_tells || completion.word == nullptr) return status;
  const bool after_kernel =
      steps_.empty() ? pixels_.has_value() : steps_.back().host.kernel == nullptr;
  return launch_completion(
      {stream_.get(), loaded_->overlap && after_kernel && !copies_out(), completion});
}

cudaError_t CudaContext::enqueue_all() {
  cudaError_t status = enqueue_copy_in();
  if (status == cudaSuccess) status = enqueue_preprocess();
  return status == cudaSuccess ? enqueue_rest(waiter_->completion()) : status;
}

/// A run step by step loads the kernels and shows what is wrong; only then is it captured.
void CudaContext::prepare() {
  infer();  // No graph yet.
  if (!settings_.cuda_graph) return;
  cudaError_t status = cudaSuccess;
  graph_ = capture(stream_.get(), status, [&] { return enqueue_all(); });
  if (graph_) {
    check(cudaGraphUpload(graph_.get(), stream_.get()), "uploading the graph");
    return waiter_->wait_for_stream(stream_.get());
  }
  warnings_.push_back(
      fmt::format("the inference was not captured as a CUDA graph ({}); its {} steps are launched "
                  "one by one, which takes longer",
                  cudaGetErrorString(status), steps_.size()));
}

void CudaContext::throw_host_failure() {
  if (host_failure_->empty()) [[likely]]
    return;
  throw runtime_failure(std::exchange(*host_failure_, {}));
}

void CudaContext::launch() {
  check(graph_ ? cudaGraphLaunch(graph_.get(), stream_.get()) : enqueue_all(), "an inference");
}

void CudaContext::infer() {
  launch();
  waiter_->wait_for_inference(stream_.get());
  throw_host_failure();
}

void CudaContext::copy_in() {
  if (input_.mode != MemoryMode::kDevice) return;
  check(enqueue_copy(input_, Direction::kIn, stream_.get()), "copying the input");
  waiter_->wait_for_stream(stream_.get());
}

void CudaContext::copy_out() {
  bool copied = false;
  for (const Border& output : outputs_) {
    if (output.mode != MemoryMode::kDevice) continue;
    check(enqueue_copy(output, Direction::kOut, stream_.get()), "copying an output");
    copied = true;
  }
  if (copied) waiter_->wait_for_stream(stream_.get());
}

GpuContext::Execution CudaContext::execution() const {
  const std::string input(to_string(input_.mode));
  const bool same = std::all_of(outputs_.begin(), outputs_.end(),
                                [&](const Border& output) { return output.mode == input_.mode; });
  std::string memory = input;
  if (!same) {
    const bool mixed = std::any_of(outputs_.begin(), outputs_.end(), [&](const Border& output) {
      return output.mode != outputs_.front().mode;
    });
    memory = fmt::format("{} input, {} output", input,
                         mixed ? "mapped or pinned" : to_string(outputs_.front().mode));
  }
  return {.cuda_graph = graph_ != nullptr,
          .memory_mode = memory,
          .wait = std::string(to_string(settings_.wait))};
}

std::span<float> CudaContext::input() {
  if (pixels_) return {};
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
  cudaError_t begun = enqueue_copy_in();
  if (begun == cudaSuccess) begun = enqueue_preprocess();
  if (begun != cudaSuccess) return begun;
  // In a graph an event is recorded at each replay only where it is told to be external.
  cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
  (void)cudaStreamIsCapturing(stream_.get(), &capturing);
  const unsigned flags =
      capturing == cudaStreamCaptureStatusNone ? cudaEventRecordDefault : cudaEventRecordExternal;
  for (std::size_t i = 0; i <= steps_.size(); ++i) {
    cudaError_t status = cudaEventRecordWithFlags(events_[i].get(), stream_.get(), flags);
    if (status == cudaSuccess && i < steps_.size()) status = enqueue(steps_[i], {stream_.get()});
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
  waiter_->wait_for_stream(stream_.get());
  throw_host_failure();
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, events_[i].get(), events_[i + 1].get()),
          "the time of a step");
    layer_ns[i] += std::llround(double{milliseconds} * 1e6);
  }
}

/// Parts that there are not are left out: an event apart costs time, and zero is no measurement.
TimeSplit CudaContext::make_split() {
  std::vector<TimeSplit::Part> parts(4);
  if (input_.mode == MemoryMode::kPinned) parts[0] = [this] { return enqueue_copy_in(); };
  if (pixels_) parts[1] = [this] { return enqueue_preprocess(); };
  parts[2] = [this] { return enqueue_steps({}); };
  if (copies_out()) parts[3] = [this] { return enqueue_copy_out(); };
  return {stream_.get(), std::move(parts)};
}

TimeSplitter::Split CudaContext::infer_split() {
  if (!split_) split_.emplace(make_split());
  Split split;
  const std::int64_t begin = SteadyClock::now_ns();
  launch();
  split.enqueue_ns = SteadyClock::now_ns() - begin;
  waiter_->wait_for_inference(stream_.get());
  split.wall_ns = SteadyClock::now_ns() - begin;
  split_->launch();
  waiter_->wait_for_stream(stream_.get());
  throw_host_failure();
  const auto parts = split_->times_ns();
  split.copy_in_ns = parts[0];
  split.preprocess_ns = parts[1];
  split.compute_ns = parts[2].value_or(0);
  split.copy_out_ns = parts[3];
  return split;
}

std::span<std::uint8_t> CudaPixelContext::input_u8() {
  const std::span<std::byte> bytes = input_bytes();
  return {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()};
}

std::unique_ptr<CudaContext> new_context(std::shared_ptr<const LoadedPlan> loaded,
                                         const ExecutionSettings& settings) {
  if (settings.pixels) return std::make_unique<CudaPixelContext>(std::move(loaded), settings);
  return std::make_unique<CudaContext>(std::move(loaded), settings);
}

}  // namespace hedge::cuda
