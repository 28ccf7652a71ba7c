// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/loaded_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "backends/gpu/device.h"
#include "base/text.h"

namespace hedge::tensorrt {
namespace {

using nvinfer1::DataType;

constexpr std::array kTag{'f', 't', 'r', 't'};
constexpr std::size_t kVersionAt = 24;  ///< Major, minor, patch, in format 0.
constexpr std::size_t kHeaderBytes = 28;

std::string_view name_of(DataType type) {
  switch (type) {
    case DataType::kFLOAT:
      return "float32";
    case DataType::kHALF:
      return "float16";
    case DataType::kINT8:
      return "int8";
    case DataType::kINT32:
      return "int32";
    case DataType::kBOOL:
      return "bool";
    case DataType::kUINT8:
      return "uint8";
    default:
      return "another type";
  }
}

std::vector<std::int64_t> extents(const nvinfer1::Dims& dims) {
  return {dims.d, dims.d + std::max<std::int64_t>(dims.nbDims, 0)};
}

/// What is known of the plan and of this machine, for a plan that TensorRT does not take.
std::string origin_text(std::span<const std::byte> bytes, const PlanOrigin& origin) {
  const int library = Libraries::get().version();
  const std::string version =
      origin.version.empty() ? plan_version(bytes).value_or("unknown") : origin.version;
  const std::string here = gpu::description_of(gpu::device());
  if (version == version_text(library) && (origin.gpu.empty() || origin.gpu == here)) {
    return fmt::format(
        "the plan is of the TensorRT that is here, {}: it may be damaged or cut "
        "short; build it again",
        version);
  }
  return fmt::format("the plan is of TensorRT {}{}, here are {} and {}: build it again here",
                     version, origin.gpu.empty() ? "" : " and " + origin.gpu, version_text(library),
                     here);
}

}  // namespace

bool is_plan(std::span<const std::byte> bytes) {
  return bytes.size() >= kTag.size() && std::memcmp(bytes.data(), kTag.data(), kTag.size()) == 0;
}

std::optional<std::string> plan_version(std::span<const std::byte> bytes) {
  std::uint32_t format = 1;
  if (!is_plan(bytes) || bytes.size() < kHeaderBytes) return std::nullopt;
  std::memcpy(&format, bytes.data() + kTag.size(), sizeof format);
  if (format != 0) return std::nullopt;
  const auto number = [&](std::size_t i) { return std::to_integer<int>(bytes[kVersionAt + i]); };
  return fmt::format("{}.{}.{}", number(0), number(1), number(2));
}

LoadedPlan::LoadedPlan(std::span<const std::byte> bytes, const PlanOrigin& origin)
    : plan_bytes_(bytes.size()) {
  const Libraries& libraries = Libraries::get();
  libraries.load_plugins();
  runtime_ = libraries.runtime();
  if (origin.dla_core) runtime_->setDLACore(*origin.dla_core);
  engine_.reset(runtime_->deserializeCudaEngine(bytes.data(), bytes.size()));
  if (!engine_) throw refusal("the plan is not taken", origin_text(bytes, origin));
  (void)logger().take_errors();
}

PlanBindings LoadedPlan::bindings() const {
  PlanBindings bindings;
  std::vector<std::string> inputs;
  std::vector<std::string> others;
  for (int i = 0; i < engine_->getNbIOTensors(); ++i) {
    const std::string name = engine_->getIOTensorName(i);
    const DataType type = engine_->getTensorDataType(name.c_str());
    const bool linear = engine_->getTensorFormat(name.c_str()) == nvinfer1::TensorFormat::kLINEAR;
    const bool on_gpu =
        engine_->getTensorLocation(name.c_str()) == nvinfer1::TensorLocation::kDEVICE;
    if (type != DataType::kFLOAT || !linear || !on_gpu) {
      others.push_back(fmt::format("'{}' ({}{}{})", printable(name), name_of(type),
                                   linear ? "" : ", not row-major", on_gpu ? "" : ", a shape"));
    }
    const bool in = engine_->getTensorIOMode(name.c_str()) == nvinfer1::TensorIOMode::kINPUT;
    (in ? inputs : bindings.outputs).push_back(name);
  }
  if (!others.empty()) {
    throw bad_input(fmt::format(
        "the plan's inputs and outputs must be float32, row-major, of the GPU (trtexec: "
        "--inputIOFormats=fp32:chw --outputIOFormats=fp32:chw): {}",
        join_words(others)));
  }
  if (inputs.size() != 1 || bindings.outputs.empty()) {
    throw bad_input(fmt::format(
        "the plan has {} inputs and {} outputs; an image classifier takes one image and gives "
        "scores",
        inputs.size(), bindings.outputs.size()));
  }
  bindings.input = inputs.front();
  return bindings;
}

std::vector<std::int64_t> LoadedPlan::shape(const std::string& tensor) const {
  return extents(engine_->getTensorShape(tensor.c_str()));
}

std::vector<std::int64_t> LoadedPlan::profile_shape(const std::string& input,
                                                    nvinfer1::OptProfileSelector which) const {
  return extents(engine_->getProfileShape(input.c_str(), 0, which));
}

std::pair<std::int64_t, std::int64_t> LoadedPlan::batches(const std::string& input) const {
  const auto stated = shape(input);
  if (stated.empty()) return {0, 0};
  if (stated.front() >= 0) return {stated.front(), stated.front()};
  const auto least = profile_shape(input, nvinfer1::OptProfileSelector::kMIN);
  const auto most = profile_shape(input, nvinfer1::OptProfileSelector::kMAX);
  if (least.empty() || most.empty()) return {0, 0};
  return {least.front(), most.front()};
}

BatchRange LoadedPlan::range(const std::string& input) const {
  const auto [least, most] = batches(input);
  if (least == most) return {least, least, least};
  return {least, profile_shape(input, nvinfer1::OptProfileSelector::kOPT).front(), most};
}

std::optional<nvinfer1::Dims> LoadedPlan::input_shape(const std::string& input,
                                                      std::int64_t batch) const {
  nvinfer1::Dims dims = engine_->getTensorShape(input.c_str());
  const auto [least, most] = batches(input);
  if (dims.nbDims < 1 || batch < least || batch > most) return std::nullopt;
  if (std::none_of(dims.d, dims.d + dims.nbDims, [](auto extent) { return extent < 0; }))
    return dims;
  // Extents beside the batch that vary as well are those that the plan was tuned for.
  const auto tuned = profile_shape(input, nvinfer1::OptProfileSelector::kOPT);
  for (int i = 0; i < dims.nbDims; ++i) {
    if (dims.d[i] >= 0) continue;
    if (i > 0 && static_cast<std::size_t>(i) >= tuned.size()) return std::nullopt;
    const std::int64_t extent = i == 0 ? batch : tuned[static_cast<std::size_t>(i)];
    dims.d[i] = static_cast<std::remove_reference_t<decltype(dims.d[i])>>(extent);
  }
  return dims;
}

std::string LoadedPlan::layer_information() const {
  const std::unique_ptr<nvinfer1::IEngineInspector> inspector(engine_->createEngineInspector());
  const char* text = inspector
                         ? inspector->getEngineInformation(nvinfer1::LayerInformationFormat::kJSON)
                         : nullptr;
  return text == nullptr ? std::string() : std::string(text);
}

std::unique_ptr<nvinfer1::IExecutionContext> LoadedPlan::new_context() const {
  const std::lock_guard lock(mutex_);
  return std::unique_ptr<nvinfer1::IExecutionContext>(
      required(engine_->createExecutionContext(), "no execution context can be had",
               "the GPU's memory may not suffice: end other programs on it"));
}

}  // namespace hedge::tensorrt
