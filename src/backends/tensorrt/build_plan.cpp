// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/build_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "backends/tensorrt/calibrator.h"
#include "backends/tensorrt/node_names.h"
#include "backends/tensorrt/plan_cache.h"
#include "backends/tensorrt/progress.h"
#include "base/cancellation.h"
#include "base/log.h"
#include "base/text.h"
#include "graph/operators/operator.h"

namespace hedge::tensorrt {
namespace {

using nvinfer1::BuilderFlag;

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
  OnnxForm form{.opset = kOpset, .stored_weights = kTakesStoredWeights};
  if (is_weakly_typed(options)) return form;
  form.floats = float_type(float_precision(options));
  for (const auto& [node, precision] : options.layers) form.nodes[node] = float_type(precision);
  return form;
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
      permit(*config_, floats == "fp16", options_.precision == "int8");
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
    if (compiler.dla_core) use_dla(*compiler.dla_core, compiler.gpu_fallback);
    set_monitor(*config_, progress_);
  }

  /// TensorRT's own way, with images of ours.
  void calibrate() {
    const nvinfer1::Dims dims = network_->getInput(0)->getDimensions();
    std::size_t elements = 1;
    for (int i = 0; i < dims.nbDims; ++i) elements *= static_cast<std::size_t>(dims.d[i]);
    calibrator_ = std::make_unique<Calibrator>(*options_.native_calibration, dims.d[0], elements);
    set_calibrator(*config_, *calibrator_);
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
    for (const auto& [name, precision] : options_.layers) left.insert(name);
    for (int i = 0; i < network_->getNbLayers(); ++i) {
      nvinfer1::ILayer& layer = *network_->getLayer(i);
      const auto stated = options_.layers.find(layer.getName());
      if (stated == options_.layers.end()) continue;
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
  std::string onnx_;  ///< The network's weights may lie in it.
  Progress progress_;
  std::unique_ptr<Calibrator> calibrator_;  ///< The settings refer to it.
  std::unique_ptr<nvinfer1::IBuilder> builder_;
  std::unique_ptr<nvinfer1::INetworkDefinition> network_;
  std::unique_ptr<nvinfer1::IBuilderConfig> config_;
  std::unique_ptr<nvonnxparser::IParser> parser_;
  PlanCache cache_;
};

}  // namespace

std::string float_precision(const BuildOptions& options) {
  if (options.precision != "int8") return options.precision;
  return options.fallback.empty() ? "fp16" : options.fallback;
}

void check_precision(const BuildOptions& options) {
  const auto refuse = [&](const std::string& precision, std::string_view why) {
    throw bad_input(fmt::format("precision {}: {}; use --precision=fp16, int8{}, tf32 or fp32",
                                precision, why, kStronglyTyped ? ", bf16" : ""));
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
  if (options.precision != "int8") check(options.precision);
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
