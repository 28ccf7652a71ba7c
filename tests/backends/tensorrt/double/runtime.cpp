// SPDX-License-Identifier: Apache-2.0
// The double of libnvinfer: what runs, by one of the executors of executor.h.
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>

#include "double/executor.h"
#include "double/float8.h"
#include "double/infer.h"
#include "double/network.h"
#include "double/plan_file.h"
#include "graph/graph.h"
#include "hedge/error.h"
#include "onnx/import.h"

namespace hedge_double {

std::int32_t library_version() {
  const char* text = std::getenv("HEDGE_DOUBLE_VERSION");
  return text == nullptr ? static_cast<std::int32_t>(NV_TENSORRT_VERSION) : std::atoi(text);
}

std::string gpu_name() {
  cudaDeviceProp properties{};
  (void)cudaGetDeviceProperties(&properties, 0);
  return properties.name;
}

int dla_cores() {
  const char* text = std::getenv("HEDGE_DOUBLE_DLA_CORES");
  return text == nullptr ? 0 : std::atoi(text);
}

namespace {

using hedge::Graph;

nvinfer1::Dims dims_of(const hedge::Shape& shape) {
  nvinfer1::Dims dims{};
  dims.nbDims = static_cast<int32_t>(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) {
    dims.d[i] = static_cast<std::remove_reference_t<decltype(dims.d[i])>>(shape[i]);
  }
  return dims;
}

/// What engine and contexts share.
struct Net {
  Graph graph;
  PlanFile plan;
  bool float8 = false;  ///< Its roundings need floats of 32 bits, which kernels of 16 do not have.
  [[nodiscard]] std::string input() const { return graph.value(graph.inputs.at(0).value).name; }
  [[nodiscard]] std::string output(std::size_t i) const {
    return graph.value(graph.outputs.at(i)).name;
  }
  /// Of plans whose batch varies, made by the tests: its least and most.
  [[nodiscard]] std::optional<std::pair<int, int>> batches() const {
    if (!plan.summary.contains("batches")) return std::nullopt;
    const nlohmann::json& range = plan.summary["batches"];
    return std::pair<int, int>(range[0], range[1]);
  }
  /// With -1 for a batch that varies.
  [[nodiscard]] nvinfer1::Dims shape(const std::string& name) const {
    nvinfer1::Dims dims{};
    dims.nbDims = -1;
    if (name == input()) dims = dims_of(graph.input_type(0).shape);
    for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
      if (name == output(i)) dims = dims_of(graph.value(graph.outputs[i]).type.shape);
    }
    if (dims.nbDims > 0 && batches()) dims.d[0] = -1;
    return dims;
  }
};

class ContextDouble final : public nvinfer1::IExecutionContext,
                            public nvinfer1::apiv::ExecutionContextStub {
 public:
  ContextDouble(std::shared_ptr<const Net> net, nvinfer1::ILogger* logger)
      : net_(std::move(net)), graph_(net_->graph), logger_(logger) {
    mImpl = this;
    if (!net_->batches()) batch_ = graph_.input_type(0).shape.at(0);
  }
  bool setInputShape(char const* name, nvinfer1::Dims const& dims) noexcept override {
    if (refused(logger_, "setInputShape")) return false;
    const auto range = net_->batches();
    const nvinfer1::Dims wanted = net_->shape(name);
    bool fits = wanted.nbDims == dims.nbDims && net_->input() == name;
    for (int i = 0; fits && i < dims.nbDims; ++i) {
      fits = wanted.d[i] == dims.d[i] ||
             (i == 0 && range && dims.d[0] >= range->first && dims.d[0] <= range->second);
    }
    if (!fits) {
      tell(logger_, "IExecutionContext::setInputShape: Static dimension mismatch");
      return false;
    }
    batch_ = dims.d[0];
    hedge::set_batch(graph_, batch_);
    return true;
  }
  nvinfer1::Dims getTensorShape(char const* name) const noexcept override {
    nvinfer1::Dims dims = net_->shape(name);
    if (dims.nbDims > 0 && batch_ > 0) {
      dims.d[0] = static_cast<std::remove_reference_t<decltype(dims.d[0])>>(batch_);
    }
    return dims;
  }
  bool setTensorAddress(char const* name, void* data) noexcept override {
    if (refused(logger_, "setTensorAddress")) return false;
    if (net_->shape(name).nbDims < 0) complain(std::string("the address of no tensor: ") + name);
    if (data == nullptr || reinterpret_cast<std::uintptr_t>(data) % 256 != 0) {
      complain(std::string("an address that is not aligned: ") + name);
    }
    if (enqueued_) complain("an address is set after the first enqueue");
    addresses_[name] = static_cast<std::byte*>(data);
    return true;
  }
  bool setNvtxVerbosity(nvinfer1::ProfilingVerbosity) noexcept override {
    return !fails("setNvtxVerbosity");
  }
  void setAuxStreams(cudaStream_t* streams, int32_t count) noexcept override {
    aux_streams_.assign(streams, streams + count);
  }
  void setPersistentCacheLimit(std::size_t bytes) noexcept override {
    (void)fails("setPersistentCacheLimit " + std::to_string(bytes));  // Noted.
  }
  void setProfiler(nvinfer1::IProfiler* profiler) noexcept override { profiler_ = profiler; }
  bool enqueueV3(cudaStream_t stream) noexcept override {
    if (refused(logger_, "enqueueV3")) return false;
    if (stream == nullptr) complain("enqueueV3 on the default stream");
    if (addresses_.size() != 1 + graph_.outputs.size()) {
      complain("enqueueV3 with tensors without addresses");
      return false;
    }
    if (std::ssize(aux_streams_) != net_->plan.summary.value("aux_streams", 0)) {
      complain("TensorRT makes auxiliary streams of its own");
    }
    for (cudaStream_t aux : aux_streams_) {
      if (aux == nullptr || aux == stream) complain("an auxiliary stream that is none");
    }
    enqueued_ = true;
    try {
      if (!executor_ || stream != stream_) make_executor(stream);
      const cudaError_t status = enqueue();
      if (status == cudaSuccess) return true;
      tell(logger_, fmt::format("Cuda Runtime ({})", cudaGetErrorString(status)));
    } catch (const std::exception& error) {
      tell(logger_, error.what());
    }
    return false;
  }

 private:
  /// The first enqueue loads what TensorRT loads late.
  void make_executor(cudaStream_t stream) {
    if (captures(stream)) complain("the first enqueueV3 of a context is captured");
    stream_ = stream;
    Place place{.stream = stream, .input = addresses_.at(net_->input())};
    for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
      place.outputs.push_back(addresses_.at(net_->output(i)));
    }
    const bool by_cuda = computes_by_cuda() && !net_->float8;
    executor_ =
        by_cuda ? cuda_executor(graph_, net_->plan, place) : reference_executor(graph_, place);
  }

  [[nodiscard]] cudaError_t enqueue() {
    if (profiler_ == nullptr) return executor_->enqueue();
    if (captures(stream_)) complain("a profiled inference is captured");
    return executor_->enqueue_profiled(*profiler_);
  }

  static bool captures(cudaStream_t stream) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    (void)cudaStreamIsCapturing(stream, &status);
    return status != cudaStreamCaptureStatusNone;
  }

  std::shared_ptr<const Net> net_;
  Graph graph_;
  nvinfer1::ILogger* logger_;
  std::int64_t batch_ = 0;
  bool enqueued_ = false;
  nvinfer1::IProfiler* profiler_ = nullptr;
  std::vector<cudaStream_t> aux_streams_;
  std::map<std::string, std::byte*> addresses_;
  cudaStream_t stream_ = nullptr;
  std::unique_ptr<Executor> executor_;
  Alive alive_{"context"};
};

class InspectorDouble final : public nvinfer1::IEngineInspector,
                              public nvinfer1::apiv::EngineInspectorStub {
 public:
  explicit InspectorDouble(const Net& net) {
    mImpl = this;
    nlohmann::json layers = nlohmann::json::array();
    for (const hedge::Node& node : net.graph.nodes) layers.push_back({{"Name", node.name}});
    text_ = nlohmann::json{{"Layers", layers}}.dump();
  }
  char const* getEngineInformation(nvinfer1::LayerInformationFormat) const noexcept override {
    return text_.c_str();
  }

 private:
  std::string text_;
  Alive alive_{"inspector"};
};

class EngineDouble final : public nvinfer1::ICudaEngine, public nvinfer1::apiv::CudaEngineStub {
 public:
  EngineDouble(std::shared_ptr<const Net> net, nvinfer1::ILogger* logger)
      : net_(std::move(net)), logger_(logger) {
    mImpl = this;
  }
  ~EngineDouble() noexcept override {
    if (alive("context") > 0 && alive("engine") == 1) {
      complain("an engine is destroyed before its contexts");
    }
  }
  // The outputs first, as TensorRT's order need not be the network's.
  int32_t getNbIOTensors() const noexcept override {
    return static_cast<int32_t>(net_->graph.outputs.size()) + 1;
  }
  char const* getIOTensorName(int32_t index) const noexcept override {
    const auto outputs = static_cast<int32_t>(net_->graph.outputs.size());
    const hedge::ValueId id =
        index == outputs ? net_->graph.inputs.at(0).value
                         : net_->graph.outputs.at(static_cast<std::size_t>(outputs - 1 - index));
    return net_->graph.value(id).name.c_str();
  }
  nvinfer1::TensorIOMode getTensorIOMode(char const* name) const noexcept override {
    return name == net_->input() ? nvinfer1::TensorIOMode::kINPUT : nvinfer1::TensorIOMode::kOUTPUT;
  }
  nvinfer1::DataType getTensorDataType(char const* name) const noexcept override {
    const bool half = net_->plan.summary.value("half_input", false) && name == net_->input();
    return half ? nvinfer1::DataType::kHALF : nvinfer1::DataType::kFLOAT;
  }
  nvinfer1::TensorFormat getTensorFormat(char const*) const noexcept override {
    return nvinfer1::TensorFormat::kLINEAR;
  }
  nvinfer1::TensorLocation getTensorLocation(char const*) const noexcept override {
    return nvinfer1::TensorLocation::kDEVICE;
  }
  nvinfer1::Dims getTensorShape(char const* name) const noexcept override {
    return net_->shape(name);
  }
  // As many as the plan was allowed.
  int32_t getNbAuxStreams() const noexcept override {
    return net_->plan.summary.value("aux_streams", 0);
  }
  nvinfer1::IEngineInspector* createEngineInspector() const noexcept override {
    return refused(logger_, "createEngineInspector") ? nullptr : new InspectorDouble(*net_);
  }
  nvinfer1::Dims getProfileShape(char const* name, int32_t profile,
                                 nvinfer1::OptProfileSelector which) const noexcept override {
    nvinfer1::Dims dims = net_->shape(name);
    const auto range = net_->batches();
    if (profile != 0 || !range) complain("a profile that is not there");
    if (range) {
      const int tuned = net_->plan.summary.value("tuned", range->first);
      dims.d[0] = which == nvinfer1::OptProfileSelector::kMAX   ? range->second
                  : which == nvinfer1::OptProfileSelector::kOPT ? tuned
                                                                : range->first;
    }
    return dims;
  }
#if NV_TENSORRT_MAJOR >= 10
  nvinfer1::IExecutionContext* createExecutionContext(
      nvinfer1::ExecutionContextAllocationStrategy) noexcept override {
    return create();
  }
  int64_t getDeviceMemorySizeV2() const noexcept override {
    return kDeviceMemory;
  }
#else
  nvinfer1::IExecutionContext* createExecutionContext() noexcept override {
    return create();
  }
  size_t getDeviceMemorySize() const noexcept override {
    return kDeviceMemory;
  }
#endif

 private:
  static constexpr int kDeviceMemory = 4096;

  nvinfer1::IExecutionContext* create() {
    if (refused(logger_, "createExecutionContext")) return nullptr;
    return new ContextDouble(net_, logger_);
  }

  std::shared_ptr<const Net> net_;
  nvinfer1::ILogger* logger_;
  Alive alive_{"engine"};
};

class RuntimeDouble final : public nvinfer1::IRuntime, public nvinfer1::apiv::RuntimeStub {
 public:
  explicit RuntimeDouble(nvinfer1::ILogger* logger) : logger_(logger) { mImpl = this; }
  ~RuntimeDouble() noexcept override {
    if (alive("engine") > 0 && alive("runtime") == 1) {
      complain("a runtime is destroyed before its engines");
    }
  }
  void setDLACore(int32_t core) noexcept override {
    if (core >= dla_cores()) complain("setDLACore of a core that is not there");
  }
#if NV_TENSORRT_MAJOR >= 10
  nvinfer1::ICudaEngine* deserializeCudaEngine(void const* blob,
                                               std::size_t size) noexcept override {
    return deserialize(blob, size);
  }
#else
  nvinfer1::ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size,
                                               nvinfer1::IPluginFactory*) noexcept override {
    return deserialize(blob, size);
  }
#endif

 private:
  nvinfer1::ICudaEngine* deserialize(void const* blob, std::size_t size) {
    if (refused(logger_, "deserializeCudaEngine")) return nullptr;
    std::string reason;
    auto plan = read_plan(blob, size, reason);
    if (plan && plan->summary.value("plugin", std::string()) != "") {
      reason = fmt::format("IPluginRegistry::getCreator: Cannot find plugin: {}, version: 1",
                           plan->summary["plugin"].get<std::string>());
    }
    if (!reason.empty()) {
      tell(logger_, reason);
      return nullptr;
    }
    try {
      auto net = std::make_shared<Net>();
      std::string onnx = without_float8(plan->onnx);
      net->float8 = onnx != plan->onnx;
      plan->onnx = std::move(onnx);
      net->graph = hedge::import_onnx(std::as_bytes(std::span(plan->onnx)), {});
      net->plan = std::move(*plan);
      return new EngineDouble(std::move(net), logger_);
    } catch (const hedge::Error& error) {
      tell(logger_, error.what());
      return nullptr;
    }
  }

  nvinfer1::ILogger* logger_;
  Alive alive_{"runtime"};
};

}  // namespace
}  // namespace hedge_double

extern "C" void* createInferRuntime_INTERNAL(void* logger, int32_t version) noexcept {
  using namespace hedge_double;
  auto* its_logger = static_cast<nvinfer1::ILogger*>(logger);
  if (refused(its_logger, "createInferRuntime")) return nullptr;
  if (version != NV_TENSORRT_VERSION) complain("a runtime of another version");
  return static_cast<nvinfer1::IRuntime*>(new RuntimeDouble(its_logger));
}
