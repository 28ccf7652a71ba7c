// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/tensorrt_net.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "backends/gpu/device.h"
#include "hedge/error.h"

namespace hedge::tensorrt {
namespace {

/// What enqueueV3 answers false for has no CUDA error of its own; TensorRT's words are with the
/// logger.
constexpr cudaError_t kRefused = cudaErrorUnknown;

nvinfer1::Dims shape_of(const LoadedPlan& plan, const PlanBindings& bindings, std::int64_t batch) {
  if (const auto shape = plan.input_shape(bindings.input, batch)) return *shape;
  const auto [least, most] = plan.batches(bindings.input);
  throw bad_input(
      least == most
          ? fmt::format("the plan is built for batches of {}, not {}; build another one with "
                        "`build_engine --engine_batch_size={}`",
                        least, batch, batch)
          : fmt::format("the plan is built for batches of {} to {}, not {}; build another one with "
                        "`build_engine --engine_batch_size=MIN:OPT:MAX`",
                        least, most, batch));
}

/// A later context of a plan of 8.6 has no profile unless it was built to share its own.
std::string_view shape_advice(const LoadedPlan& plan, const PlanBindings& bindings) {
  const auto [least, most] = plan.batches(bindings.input);
  if (kHeaderMajor >= 10 || least == most) return {};
  return "one context of a plan with a range of batches runs at a time, unless trtexec builds it "
         "with --preview=+profileSharing0806";
}

}  // namespace

TensorRtNet::TensorRtNet(std::shared_ptr<const LoadedPlan> plan, const PlanBindings& bindings,
                         std::int64_t batch, std::size_t persistent_bytes)
    : plan_(std::move(plan)),
      bindings_(bindings),
      shape_(shape_of(*plan_, bindings_, batch)),
      persistent_bytes_(persistent_bytes),
      context_(plan_->new_context()) {
  // Marks for NVIDIA's profilers, as detailed as the plan, would cost time in enqueueV3.
  (void)context_->setNvtxVerbosity(nvinfer1::ProfilingVerbosity::kNONE);
  require(context_->setInputShape(bindings_.input.c_str(), shape_),
          "the input's shape is not taken", shape_advice(*plan_, bindings_));
}

std::size_t TensorRtNet::bytes_of(const std::string& tensor) const {
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

std::vector<std::size_t> TensorRtNet::output_bytes() const {
  std::vector<std::size_t> bytes;
  for (const std::string& name : bindings_.outputs) bytes.push_back(bytes_of(name));
  return bytes;
}

void TensorRtNet::bind(cudaStream_t stream, std::byte* input, std::span<std::byte* const> outputs) {
  stream_ = stream;
  input_ = input;
  outputs_.assign(outputs.begin(), outputs.end());
  for (int i = 0; i < plan_->engine().getNbAuxStreams(); ++i) {
    aux_streams_.push_back(gpu::new_stream());
  }
  prepare(*context_);
}

void TensorRtNet::prepare(nvinfer1::IExecutionContext& context) const {
  if (!aux_streams_.empty()) {
    std::vector<cudaStream_t> streams;
    for (const gpu::Stream& stream : aux_streams_) streams.push_back(stream.get());
    context.setAuxStreams(streams.data(), static_cast<std::int32_t>(streams.size()));
  }
  if (persistent_bytes_ > 0) context.setPersistentCacheLimit(persistent_bytes_);
  require(context.setTensorAddress(bindings_.input.c_str(), input_),
          "the input's address is not taken");
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    require(context.setTensorAddress(bindings_.outputs[i].c_str(), outputs_[i]),
            fmt::format("the address of output '{}' is not taken", bindings_.outputs[i]));
  }
}

cudaError_t TensorRtNet::enqueue(nvinfer1::IExecutionContext& context) const {
  if (context.enqueueV3(stream_)) return cudaSuccess;
  const cudaError_t status = cudaGetLastError();
  return status == cudaSuccess ? kRefused : status;
}

cudaError_t TensorRtNet::enqueue(bool /*behind_kernel*/, const gpu::Completion& /*completion*/) {
  return enqueue(*context_);
}

void TensorRtNet::check(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) [[likely]]
    return;
  if (status == kRefused) throw failure(what);
  if (const std::string errors = logger().take_errors(); !errors.empty()) {
    throw runtime_failure(
        fmt::format("TensorRT: {}: {} (CUDA: {})", what, errors, cudaGetErrorString(status)));
  }
  gpu::check(status, what);
}

std::string TensorRtNet::uncaptured(cudaError_t status) {
  const std::string errors = logger().take_errors();
  return fmt::format(
      "the inference was not captured as a CUDA graph ({}); enqueueV3 launches its layers one by "
      "one, which takes longer",
      errors.empty() ? cudaGetErrorString(status) : errors.c_str());
}

std::vector<LayerProfiler::Layer> TensorRtNet::layers() {
  if (!profiled_) {
    auto made = std::make_unique<ProfiledContext>();
    made->context = plan_->new_context();
    require(made->context->setInputShape(bindings_.input.c_str(), shape_),
            "the input's shape is not taken");
    prepare(*made->context);
    made->context->setProfiler(&made->times);
    profiled_ = std::move(made);
    check(enqueue_profiled(), "a profiled inference");
    check(cudaStreamSynchronize(stream_), "a profiled inference");
  }
  std::vector<LayerProfiler::Layer> layers;
  for (const std::string& name : profiled_->times.names()) layers.push_back({name, "TensorRT"});
  return layers;
}

cudaError_t TensorRtNet::enqueue_profiled() {
  profiled_->times.begin();
  return enqueue(*profiled_->context);
}

void TensorRtNet::add_layer_times(std::span<std::int64_t> layer_ns) {
  const LayerTimes& times = profiled_->times;
  if (times.heard() != layer_ns.size()) {
    throw runtime_failure(
        fmt::format("TensorRT told {} times of {} layers", times.heard(), layer_ns.size()));
  }
  for (std::size_t i = 0; i < layer_ns.size(); ++i) {
    layer_ns[i] += std::llround(double{times.milliseconds()[i]} * 1e6);
  }
}

MemoryUse TensorRtNet::memory() const {
  return {.engine_bytes = plan_->plan_bytes(), .arena_bytes = device_memory_bytes(plan_->engine())};
}

}  // namespace hedge::tensorrt
