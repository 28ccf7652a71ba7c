// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/tensorrt_context.h"

#include <fmt/format.h>

#include <cmath>
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

nvinfer1::Dims shape_of(const LoadedPlan& plan, const PlanBindings& bindings, std::int64_t batch) {
  if (const auto shape = plan.input_shape(bindings.input, batch)) return *shape;
  const auto [least, most] = plan.batches(bindings.input);
  throw bad_input(
      least == most
          ? fmt::format("the plan is built for batches of {}, not {}; build another one with "
                        "--engine_batch_size={}",
                        least, batch, batch)
          : fmt::format("the plan is built for batches of {} to {}, not {}", least, most, batch));
}

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
      bindings_(bindings),
      shape_(shape_of(*plan_, bindings_, batch)),
      stream_(cuda::new_stream()),
      context_(plan_->new_context()),
      warnings_(std::move(warnings)) {
  // Marks for NVIDIA's profilers, as detailed as the plan, would cost time in enqueueV3.
  (void)context_->setNvtxVerbosity(nvinfer1::ProfilingVerbosity::kNONE);
  require(context_->setInputShape(bindings_.input.c_str(), shape_), "the input's shape");
  make_borders();
  bind(*context_);
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

void TensorRtContext::make_borders() {
  input_ = border(bytes_of(bindings_.input));
  for (const std::string& name : bindings_.outputs) outputs_.push_back(border(bytes_of(name)));
}

void TensorRtContext::bind(nvinfer1::IExecutionContext& context) const {
  require(context.setTensorAddress(bindings_.input.c_str(), input_.seen()), "the input's address");
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    require(context.setTensorAddress(bindings_.outputs[i].c_str(), outputs_[i].seen()),
            fmt::format("the address of output '{}'", bindings_.outputs[i]));
  }
}

cudaError_t TensorRtContext::enqueue(nvinfer1::IExecutionContext& context) const {
  cudaError_t status = cudaSuccess;
  if (input_.device) {
    status = cudaMemcpyAsync(input_.device.get(), input_.host.get(), input_.bytes,
                             cudaMemcpyHostToDevice, stream_.get());
    if (status != cudaSuccess) return status;
  }
  if (!context.enqueueV3(stream_.get())) {
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
void TensorRtContext::check_run(cudaError_t status, std::string_view what) const {
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
  check_run(enqueue(*context_), "the first run");
  wait();
  cudaError_t status = cudaSuccess;
  graph_ = cuda::capture(stream_.get(), status, [&] { return enqueue(*context_); });
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

void TensorRtContext::wait() const {
  cudaError_t status = cudaErrorNotReady;
  while (status == cudaErrorNotReady) status = cudaStreamQuery(stream_.get());
  check_run(status, "an inference");
}

void TensorRtContext::infer() {
  check_run(graph_ ? cudaGraphLaunch(graph_.get(), stream_.get()) : enqueue(*context_),
            "an inference");
  wait();
}

std::span<float> TensorRtContext::input() {
  return {reinterpret_cast<float*>(input_.host.get()), input_.bytes / sizeof(float)};
}

std::span<const float> TensorRtContext::output(std::size_t index) const {
  const Border& border = outputs_.at(index);
  return {reinterpret_cast<const float*>(border.host.get()), border.bytes / sizeof(float)};
}

void TensorRtContext::run_profiled(ProfiledContext& profiled) const {
  profiled.times.begin();
  check_run(enqueue(*profiled.context), "a profiled inference");
  wait();
}

ProfiledContext& TensorRtContext::profiled() const {
  if (!profiled_) {
    auto made = std::make_unique<ProfiledContext>();
    made->context = plan_->new_context();
    require(made->context->setInputShape(bindings_.input.c_str(), shape_), "the input's shape");
    bind(*made->context);
    made->context->setProfiler(&made->times);
    run_profiled(*made);
    profiled_ = std::move(made);
  }
  return *profiled_;
}

std::vector<LayerProfiler::Layer> TensorRtContext::layers() const {
  std::vector<Layer> layers;
  for (const std::string& name : profiled().times.names()) layers.push_back({name, "TensorRT"});
  return layers;
}

void TensorRtContext::infer_profiled(std::span<std::int64_t> layer_ns) {
  ProfiledContext& one = profiled();
  run_profiled(one);
  const auto& times = one.times.milliseconds();
  if (layer_ns.size() != times.size() || one.times.heard() != times.size()) {
    throw runtime_failure(fmt::format("{} times of {} layers for {}", one.times.heard(),
                                      times.size(), layer_ns.size()));
  }
  for (std::size_t i = 0; i < times.size(); ++i) {
    layer_ns[i] += std::llround(double{times[i]} * 1e6);
  }
}

MemoryUse TensorRtContext::memory() const {
  return {.engine_bytes = plan_->plan_bytes(), .arena_bytes = device_memory_bytes(plan_->engine())};
}

}  // namespace hedge::tensorrt
