// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "backends/cuda/cuda_net.h"
#include "backends/cuda/plan.h"
#include "backends/cuda/tuner.h"
#include "backends/gpu/device.h"
#include "backends/gpu/memory_choice.h"
#include "base/log.h"
#include "base/module.h"
#include "engine/sections.h"
#include "graph/integer_layer.h"

namespace hedge::cuda {
namespace {

using nlohmann::json;

constexpr const char* kGpuSection = "gpu";
constexpr const char* kLayersSection = "precisions";

/// What decides how layers compute.
struct Arithmetic {
  std::string precision;
  bool tf32 = false;        ///< fp32 multiplies in TF32.
  bool early_exit = false;  ///< What is not int8 is fp32 then, as the original has it; else fp16.
};

/// Throws bad_input with the advice where the precision cannot be had.
ElementKind kind_of_precision(const std::string& precision, bool tf32) {
  if (precision == "fp16") return ElementKind::kHalf;
  if (precision == "bf16") return ElementKind::kBfloat16;
  if (precision == "tf32") return ElementKind::kTf32;
  if (precision == "fp32") return tf32 ? ElementKind::kTf32 : ElementKind::kFloat32;
  throw bad_input(fmt::format(
      "precision {}: not on the cuda backend; use --precision=fp16, bf16, tf32, fp32 or int8",
      precision));
}

/// Of layers for which nothing else is stated, and which are not held in 8 bits.
ElementKind kind_of_rest(const Arithmetic& arithmetic) {
  const bool mixed = arithmetic.precision == "int8" || arithmetic.precision == "best";
  const std::string& rest =
      !mixed ? arithmetic.precision : std::string(arithmetic.early_exit ? "fp32" : "fp16");
  return kind_of_precision(rest, arithmetic.tf32);
}

PlanOptions plan_options(const Arithmetic& arithmetic,
                         const std::map<std::string, std::string>& layers) {
  PlanOptions options{.kind = kind_of_rest(arithmetic), .tactics = {}};
  for (const auto& [name, precision] : layers) {
    options.layers[name] = kind_of_precision(precision, arithmetic.tf32);
  }
  return options;
}

bool uses_tf32(const Plan& plan) {
  return std::any_of(plan.steps.begin(), plan.steps.end(),
                     [](const Step& step) { return step.precision == "tf32"; });
}

json describe_layers(const Plan& plan) {
  json layers = json::array();
  for (const Step& step : plan.steps) {
    layers.push_back({{"name", step.name},
                      {"kernel", step.kernel},
                      {"precision", step.precision},
                      {"multiply_accumulates", step.multiply_accumulates}});
  }
  return layers;
}

class CudaModel final : public CompiledModel, public std::enable_shared_from_this<CudaModel> {
 public:
  CudaModel(std::shared_ptr<const LoadedPlan> loaded,
            std::shared_ptr<const gpu::PixelSource> pixels)
      : loaded_(std::move(loaded)), pixels_(std::move(pixels)) {}
  [[nodiscard]] std::unique_ptr<ExecutionContext> create_context(
      const GpuOptions& options) const override {
    // The context keeps the model alive, so that the engine finds it again for the next one.
    const std::shared_ptr<const LoadedPlan> loaded(shared_from_this(), loaded_.get());
    return gpu::make_context([&] { return std::make_unique<CudaNet>(loaded); }, options, pixels_,
                             loaded_->warnings);
  }

 private:
  std::shared_ptr<const LoadedPlan> loaded_;
  std::shared_ptr<const gpu::PixelSource> pixels_;
};

class CudaBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "cuda"; }
  [[nodiscard]] std::optional<std::string> unavailable_reason() const override {
    return gpu::unavailable_reason();
  }
  [[nodiscard]] std::string description() const override {
    return gpu::description_of(gpu::device());
  }
  [[nodiscard]] int priority() const override { return 20; }
  [[nodiscard]] std::string_view default_precision() const override { return "fp16"; }
  [[nodiscard]] BackendTraits traits() const override {
    return {.gpu = true, .takes_pixels = true, .int8_fallback = "fp16"};
  }

  [[nodiscard]] BackendEngine build(const Graph& graph,
                                    const BuildOptions& options) const override {
    if (options.precision == "int8") require_integer_layer(graph);
    PlanOptions chosen = plan_options({.precision = options.precision,
                                       .tf32 = options.allow_tf32,
                                       .early_exit = options.exit_output.has_value()},
                                      options.layers);
    std::shared_ptr<const Plan> plan = compile(graph, chosen);
    chosen.tactics = choose_tactics(*plan, {.level = std::min(options.optimization_level, 5),
                                            .timing_cache = options.timing_cache});
    if (!chosen.tactics.empty()) plan = compile(graph, chosen);
    BackendEngine engine;
    engine.tf32 = options.allow_tf32 && uses_tf32(*plan);
    engine.sections = graph_sections(graph);
    engine.sections.push_back(text_section("tactics", json(chosen.tactics).dump()));
    if (!options.layers.empty()) {
      engine.sections.push_back(text_section(kLayersSection, json(options.layers).dump()));
    }
    engine.sections.push_back(
        text_section(kGpuSection, json(Tactics{{"name", gpu::device().name}}).dump()));
    engine.layer_choices = describe_layers(*plan);
    for (const std::string& text : warnings_of(*plan)) log(LogLevel::kWarning, text);
    return engine;
  }

  // The file holds the graph, not machine code: an engine of another GPU runs, though with tactics
  // that were fastest there.
  [[nodiscard]] std::shared_ptr<const CompiledModel> load(
      std::span<const Section> sections, const EngineInfo& info,
      const ContextOptions& options) const override {
    auto pixels = gpu::pixel_source(info, options);
    const auto layers = std::find_if(sections.begin(), sections.end(), [](const Section& section) {
      return section.name == kLayersSection;
    });
    PlanOptions plan = plan_options(
        {.precision = info.precision, .tf32 = info.tf32, .early_exit = info.exit.has_value()},
        layers == sections.end() ? Tactics{} : read_words(*layers));
    plan.tactics = read_words(find_section(sections, "tactics"));
    const auto built_on = read_words(find_section(sections, kGpuSection));
    auto loaded = load_plan(compile(graph_of_sections(sections, info, options.batch), plan));
    const auto name = built_on.find("name");
    if (const gpu::Device here = gpu::device();
        name != built_on.end() && name->second != here.name) {
      auto warned = std::make_shared<LoadedPlan>(*loaded);
      warned->warnings.push_back(
          fmt::format("the engine was built on {}, this is {}: build it here to have the fastest "
                      "tactics",
                      name->second, here.name));
      loaded = warned;
    }
    return std::make_shared<CudaModel>(loaded, std::move(pixels));
  }
};

}  // namespace
}  // namespace hedge::cuda

extern "C" const char* hedge_module_abi() {
  return HEDGE_MODULE_ABI;
}
extern "C" const hedge::Backend* hedge_backend() {
  static const hedge::cuda::CudaBackend backend;
  return &backend;
}
