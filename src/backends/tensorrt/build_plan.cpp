// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/build_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "backends/gpu/device.h"
#include "backends/tensorrt/builder_cache.h"
#include "backends/tensorrt/calibrator.h"
#include "backends/tensorrt/node_names.h"
#include "backends/tensorrt/progress.h"
#include "base/cancellation.h"
#include "base/log.h"
#include "base/text.h"
#include "graph/operators/operator.h"

namespace hedge::tensorrt {
namespace {

using nvinfer1::BuilderFlag;

/// TensorRT's documentation of BuilderFlag::kBF16: Ampere and later.
constexpr int kLeastMajorOfBfloat16 = 8;
/// TensorRT's support matrix: FP8 on Ada (8.9), Hopper (9.0) and later.
constexpr int kLeastComputeOfFloat8 = 89;

FloatType float_type(const std::string& precision) {
  if (precision == "fp16") return FloatType::kFloat16;
  if (precision == "bf16") return FloatType::kBfloat16;
  return FloatType::kFloat32;
}

bool is_weakly_typed(const BuildOptions& options) {
  return !kStronglyTyped || options.native_calibration.has_value();
}

/// Its types say the precision where TensorRT takes that from them.
OnnxForm form_for(const BuildOptions& options) {
  OnnxForm form{.opset = kOpset,
                .stored_weights = kTakesStoredWeights,
                .any_batch = options.batches.has_value()};
  if (is_weakly_typed(options)) return form;
  form.floats = float_type(float_precision(options));
  form.float8 = options.float8;
  for (const auto& [node, precision] : options.layers) form.nodes[node] = float_type(precision);
  return form;
}

bool holds_integers(const Graph& graph) {
  return std::ranges::any_of(graph.values,
                             [](const Value& value) { return value.quantization.has_value(); });
}

/// TensorRT's scheme is symmetric and signed.
void check_quantization(const Graph& graph) {
  std::vector<std::string> others;
  for (const Value& value : graph.values) {
    const auto& q = value.quantization;
    if (q && (q->type != DataType::kInt8 || q->zero_point != 0)) others.push_back(value.name);
  }
  if (others.empty()) return;
  throw bad_input(fmt::format(
      "TensorRT takes int8 with zero points of 0 only; held otherwise: {}; quantise the model so "
      "(ONNX Runtime's quantiser: activation_type=QInt8 and ActivationSymmetric), or give it in "
      "fp32",
      join_words(others)));
}

void check_dla(const BuildOptions& options) {
  const CompilerOptions& compiler = options.compiler;
  if (!compiler.dla_core) {
    if (compiler.gpu_fallback) throw bad_input("--allowGPUFallback: goes with --useDLACore");
    return;
  }
  if (options.batches) throw bad_input("--useDLACore: a DLA takes one size of batches, no range");
  if (options.precision != "fp16") {
    throw bad_input(fmt::format(
        "--useDLACore with precision {}: a DLA computes in fp16, or in int8 without Q/DQ nodes, "
        "which this backend does not build; use --precision=fp16",
        options.precision));
  }
}

/// One build, from the graph's bytes to the plan's. In the order in which TensorRT wants its
/// objects destroyed, last to first.
class Build {
 public:
  Build(const Graph& graph, const BuildOptions& options, const Libraries& libraries)
      : options_(options),
        shape_(graph.input_type(0).shape),
        integers_(options.native_calibration || holds_integers(graph)),
        onnx_(options.write_onnx(graph, form_for(options))),
        progress_(options.progress),
        builder_(libraries.builder()),
        network_(required(builder_->createNetworkV2(network_flags(is_weakly_typed(options))),
                          "no network can be had")),
        config_(required(builder_->createBuilderConfig(), "no builder's settings can be had")),
        parser_(libraries.parser(*network_)),
        cache_(options.timing_cache) {}

  BuiltPlan run() {
    (void)logger().take_sparsity();
    parse();
    configure();
    if (options_.batches) state_batches(*options_.batches);
    oblige_layers();
    cache_.attach(*config_);
    if (options_.native_calibration) calibrate();
    const std::unique_ptr<nvinfer1::IHostMemory> plan(
        builder_->buildSerializedNetwork(*network_, *config_));
    if (calibrator_) calibrator_->rethrow();
    if (cancellation_requested()) throw runtime_failure("cancelled; no engine was built");
    require(plan != nullptr && plan->size() > 0, "the engine cannot be built");
    cache_.keep(*config_);
    const auto* bytes = static_cast<const std::byte*>(plan->data());
    BuiltPlan built{.bytes = {bytes, bytes + plan->size()},
                    .input = network_->getInput(0)->getName(),
                    .outputs = {},
                    .sparsity = logger().take_sparsity()};
    for (int i = 0; i < network_->getNbOutputs(); ++i) {
      built.outputs.emplace_back(network_->getOutput(i)->getName());
    }
    return built;
  }

 private:
  void parse() {
    if (parser_->parse(onnx_.data(), onnx_.size())) {
      require(network_->getNbInputs() == 1 && network_->getNbOutputs() >= 1,
              "the parsed network has lost its input or its outputs");
      return;
    }
    const std::vector<NodeName> nodes = node_names(onnx_);
    std::vector<std::string> errors;
    for (int i = 0; i < parser_->getNbErrors(); ++i) {
      errors.push_back(describe(*parser_->getError(i), nodes));
    }
    // What the logger has repeats these.
    const std::string logged = logger().take_errors();
    throw bad_input(
        fmt::format("TensorRT's parser refuses the model: {}",
                    errors.empty() ? logged : fmt::format("{}", fmt::join(errors, "; "))));
  }

  static std::string describe(const nvonnxparser::IParserError& error,
                              const std::vector<NodeName>& nodes) {
    NodeName node{node_name(error), node_operator(error)};
    const int index = error.node();
    if (node.name.empty() && index >= 0 && static_cast<std::size_t>(index) < nodes.size()) {
      node = nodes[static_cast<std::size_t>(index)];
    }
    const std::string text = printable(error.desc() == nullptr ? "no reason given" : error.desc());
    if (node.name.empty()) return text;
    return fmt::format("'{}' ({}): {}", printable(node.name), printable(node.op), text);
  }

  void configure() {
    const std::string floats = float_precision(options_);
    if (is_weakly_typed(options_)) {
      const bool best = options_.precision == "best" && options_.native_calibration;
      permit(*config_, {.fp16 = best || floats == "fp16",
                        .bf16 = best && gpu::device().major >= kLeastMajorOfBfloat16,
                        .int8 = integers_});
    }
    // On unless it is cleared.
    if (options_.precision != "tf32" && !options_.allow_tf32)
      config_->clearFlag(BuilderFlag::kTF32);
    config_->setBuilderOptimizationLevel(options_.optimization_level);
    config_->setProfilingVerbosity(nvinfer1::ProfilingVerbosity::kDETAILED);
    const CompilerOptions& compiler = options_.compiler;
    if (compiler.workspace_bytes > 0) {
      config_->setMemoryPoolLimit(nvinfer1::MemoryPoolType::kWORKSPACE, compiler.workspace_bytes);
    }
    if (compiler.sparsity != Sparsity::kDisable) config_->setFlag(BuilderFlag::kSPARSE_WEIGHTS);
    if (compiler.aux_streams) {
      require(set_aux_streams(*config_, *compiler.aux_streams),
              fmt::format("--maxAuxStreams={} is not taken", *compiler.aux_streams));
    }
    if (compiler.dla_core) use_dla(*compiler.dla_core, compiler.gpu_fallback);
    set_monitor(*config_, progress_);
  }

  /// What the builder owns: it lives as long as that.
  nvinfer1::IOptimizationProfile& profile(const BatchRange& batches) {
    using nvinfer1::OptProfileSelector;
    auto& profile = *required(builder_->createOptimizationProfile(), "no profile can be had");
    nvinfer1::Dims dims = network_->getInput(0)->getDimensions();
    const auto set = [&](OptProfileSelector which, std::int64_t batch) {
      dims.d[0] = static_cast<std::remove_reference_t<decltype(dims.d[0])>>(batch);
      require(profile.setDimensions(network_->getInput(0)->getName(), which, dims),
              fmt::format("batches of {} are not taken", batch));
    };
    set(OptProfileSelector::kMIN, batches.least);
    set(OptProfileSelector::kOPT, batches.tuned);
    set(OptProfileSelector::kMAX, batches.most);
    return profile;
  }

  void state_batches(const BatchRange& batches) {
    require(config_->addOptimizationProfile(&profile(batches)) == 0,
            "the range of batches is not taken");
    share_profiles(*config_);
  }

  /// TensorRT's own way, with images of ours.
  void calibrate() {
    calibrator_ = std::make_unique<Calibrator>(*options_.native_calibration, shape_.at(0),
                                               static_cast<std::size_t>(element_count(shape_)));
    set_calibrator(*config_, *calibrator_);
    if (!options_.batches) return;
    const BatchRange images{shape_[0], shape_[0], shape_[0]};
    require(set_calibration_profile(*config_, profile(images)),
            "the shape of the calibration batches is not taken");
  }

  void use_dla(int core, bool gpu_fallback) {
    const int cores = builder_->getNbDLACores();
    if (core >= cores) {
      throw bad_input(cores == 0 ? std::string("--useDLACore: there is no DLA here")
                                 : fmt::format("--useDLACore={}: there are {} DLA cores, counted "
                                               "from 0",
                                               core, cores));
    }
    config_->setDefaultDeviceType(nvinfer1::DeviceType::kDLA);
    config_->setDLACore(core);
    if (gpu_fallback) config_->setFlag(BuilderFlag::kGPU_FALLBACK);
  }

  /// Of weakly typed networks; the others have it in their types.
  void oblige_layers() {
    if (!is_weakly_typed(options_) || options_.layers.empty()) return;
    std::set<std::string> left;
    const std::string floats = float_precision(options_);
    for (const auto& [name, precision] : options_.layers) {
      if (precision != floats) left.insert(name);  // The others are what they are anyway.
    }
    for (int i = 0; i < network_->getNbLayers(); ++i) {
      nvinfer1::ILayer& layer = *network_->getLayer(i);
      const auto stated = options_.layers.find(layer.getName());
      if (stated == options_.layers.end() || stated->second == floats) continue;
      oblige(*config_, layer,
             stated->second == "fp16" ? nvinfer1::DataType::kHALF : nvinfer1::DataType::kFLOAT);
      left.erase(stated->first);
    }
    if (!left.empty()) {
      throw bad_input(fmt::format(
          "TensorRT's network has no layers that are called so, whose precision was stated: {}",
          fmt::join(left, ", ")));
    }
  }

  const BuildOptions& options_;
  Shape shape_;       ///< Of the input.
  bool integers_;     ///< Layers compute in int8.
  std::string onnx_;  ///< The network's weights may lie in it.
  Progress progress_;
  std::unique_ptr<Calibrator> calibrator_;  ///< The settings refer to it.
  std::unique_ptr<nvinfer1::IBuilder> builder_;
  std::unique_ptr<nvinfer1::INetworkDefinition> network_;
  std::unique_ptr<nvinfer1::IBuilderConfig> config_;
  std::unique_ptr<nvonnxparser::IParser> parser_;
  BuilderCache cache_;
};

}  // namespace

std::string no_float8_reason() {
  if (!kHasFloat8) return fmt::format("TensorRT {} has no 8-bit floats", kHeaderMajor);
  const gpu::Device device = gpu::device();
  if (10 * device.major + device.minor >= kLeastComputeOfFloat8) return {};
  return fmt::format("this GPU (sm_{}{}) does not multiply 8-bit floats, which begin with sm_{}",
                     device.major, device.minor, kLeastComputeOfFloat8);
}

std::string float_precision(const BuildOptions& options) {
  const std::string& precision = options.precision;
  if (precision != "int8" && precision != "best" && precision != "fp8") return precision;
  return options.fallback.empty() ? "fp16" : options.fallback;
}

void check_precision(const BuildOptions& options) {
  const auto refuse = [&](const std::string& precision, std::string_view why) {
    throw bad_input(fmt::format("precision {}: {}; use --precision=fp16, int8{}, tf32 or fp32",
                                precision, why, is_weakly_typed(options) ? "" : ", bf16"));
  };
  const auto check = [&](const std::string& precision) {
    if (precision == "bf16" && is_weakly_typed(options)) {
      refuse(precision, kStronglyTyped ? "not with --calibrator=native"
                                       : fmt::format("TensorRT {} has no bfloat16", kHeaderMajor));
    }
    if (precision != "fp32" && precision != "tf32" && precision != "fp16" && precision != "bf16") {
      refuse(precision, "not on the tensorrt backend");
    }
  };
  if (options.precision == "fp8") {
    if (const std::string reason = no_float8_reason(); !reason.empty()) refuse("fp8", reason);
    if (!options.float8) throw runtime_failure("precision fp8: no ranges were given");
  }
  check(float_precision(options));
  for (const auto& [layer, precision] : options.layers) check(precision);
  if (options.native_calibration && !kHasCalibrator) {
    throw bad_input(fmt::format(
        "--calibrator=native: TensorRT {} has no calibrator; leave the flag out, and Hedge "
        "calibrates",
        kHeaderMajor));
  }
  check_dla(options);
}

BuiltPlan build_plan(const Graph& graph, const BuildOptions& options, const Libraries& libraries) {
  check_precision(options);
  check_quantization(graph);
  if (!options.write_onnx) throw runtime_failure("the tensorrt backend needs the graph as ONNX");
  return Build(graph, options, libraries).run();
}

}  // namespace hedge::tensorrt
