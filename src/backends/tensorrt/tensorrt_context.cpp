// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/tensorrt_context.h"

#include <fmt/format.h>

#include <utility>

#include "hedge/error.h"

namespace hedge::tensorrt {
namespace {

/// As the cuda backend's: below it a copy of its own costs more than the way over the bus.
constexpr std::size_t kMostMapped = 64 * 1024;
/// TensorRT wants addresses on such borders.
constexpr std::size_t kAlignment = 256;

/// What enqueueV3 answers false for has no CUDA error of its own; TensorRT's words are with the
/// logger.
constexpr cudaError_t kRefused = cudaErrorUnknown;

}  // namespace

TensorRtContext::Border TensorRtContext::border(std::size_t bytes) {
  // TensorRT may read and write whole granules.
  const std::size_t size = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  return {cuda::pinned_memory(size), bytes > kMostMapped ? cuda::device_memory(size) : nullptr,
          bytes};
}

TensorRtContext::TensorRtContext(std::shared_ptr<const LoadedPlan> plan,
                                 const PlanBindings& bindings, std::int64_t batch,
                                 std::vector<std::string> warnings)
    : plan_(std::move(plan)),
      stream_(cuda::new_stream()),
      context_(plan_->new_context()),
      warnings_(std::move(warnings)) {
  bind(bindings, batch);
  prepare();
}

TensorRtContext::~TensorRtContext() {
  (void)cudaStreamSynchronize(stream_.get());
}

std::size_t TensorRtContext::bytes_of(const std::string& tensor) const {
  const nvinfer1::Dims dims = context_->getTensorShape(tensor.c_str());
  std::size_t elements = 1;
  for (int i = 0; i < dims.nbDims; ++i) {
    if (dims.d[i] < 0) {
      throw bad_input(fmt::format(
          "the shape of '{}' depends on the data; that cannot be captured or run here", tensor));
    }
    elements *= static_cast<std::size_t>(dims.d[i]);
  }
  return elements * sizeof(float);
}

void TensorRtContext::bind(const PlanBindings& bindings, std::int64_t batch) {
  const auto shape = plan_->input_shape(bindings.input, batch);
  if (!shape) {
    const auto [least, most] = plan_->batches(bindings.input);
    throw bad_input(
        least == most
            ? fmt::format("the plan is built for batches of {}, not {}; build another one with "
                          "--engine_batch_size={}",
                          least, batch, batch)
            : fmt::format("the plan is built for batches of {} to {}, not {}", least, most, batch));
  }
  require(context_->setInputShape(bindings.input.c_str(), *shape), "the input's shape");
  input_ = border(bytes_of(bindings.input));
  require(context_->setTensorAddress(bindings.input.c_str(), input_.seen()), "the input's address");
  for (const std::string& name : bindings.outputs) {
    outputs_.push_back(border(bytes_of(name)));
    require(context_->setTensorAddress(name.c_str(), outputs_.back().seen()),
            fmt::format("the address of output '{}'", name));
  }
}

cudaError_t TensorRtContext::enqueue() {
  cudaError_t status = cudaSuccess;
  if (input_.device) {
    status = cudaMemcpyAsync(input_.device.get(), input_.host.get(), input_.bytes,
                             cudaMemcpyHostToDevice, stream_.get());
    if (status != cudaSuccess) return status;
  }
  if (!context_->enqueueV3(stream_.get())) {
    status = cudaGetLastError();
    return status == cudaSuccess ? kRefused : status;
  }
  for (const Border& output : outputs_) {
    if (!output.device) continue;
    status = cudaMemcpyAsync(output.host.get(), output.device.get(), output.bytes,
                             cudaMemcpyDeviceToHost, stream_.get());
    if (status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

/// With TensorRT's own words, where it has any.
void TensorRtContext::check_run(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) [[likely]]
    return;
  if (status == kRefused) throw failure(what);
  if (const std::string errors = logger().take_errors(); !errors.empty()) {
    throw runtime_failure(
        fmt::format("TensorRT: {}: {} (CUDA: {})", what, errors, cudaGetErrorString(status)));
  }
  cuda::check(status, what);
}

/// The plain run loads what TensorRT loads late and shows what is wrong; only then is it captured.
void TensorRtContext::prepare() {
  check_run(enqueue(), "the first run");
  wait();
  cudaError_t status = cudaSuccess;
  graph_ = cuda::capture(stream_.get(), status, [&] { return enqueue(); });
  if (graph_) {
    cuda::check(cudaGraphUpload(graph_.get(), stream_.get()), "uploading the graph");
    return wait();
  }
  const std::string errors = logger().take_errors();
  warnings_.push_back(
      fmt::format("the inference was not captured as a CUDA graph ({}); enqueueV3 launches its "
                  "layers one by one, which takes longer",
                  errors.empty() ? cudaGetErrorString(status) : errors.c_str()));
}

void TensorRtContext::wait() {
  cudaError_t status = cudaErrorNotReady;
  while (status == cudaErrorNotReady) status = cudaStreamQuery(stream_.get());
  check_run(status, "an inference");
}

void TensorRtContext::infer() {
  check_run(graph_ ? cudaGraphLaunch(graph_.get(), stream_.get()) : enqueue(), "an inference");
  wait();
}

std::span<float> TensorRtContext::input() {
  return {reinterpret_cast<float*>(input_.host.get()), input_.bytes / sizeof(float)};
}

std::span<const float> TensorRtContext::output(std::size_t index) const {
  const Border& border = outputs_.at(index);
  return {reinterpret_cast<const float*>(border.host.get()), border.bytes / sizeof(float)};
}

MemoryUse TensorRtContext::memory() const {
  return {.engine_bytes = plan_->plan_bytes(), .arena_bytes = device_memory_bytes(plan_->engine())};
}

}  // namespace hedge::tensorrt
