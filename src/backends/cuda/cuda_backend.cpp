// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "backends/cuda/cuda_context.h"
#include "backends/cuda/device.h"
#include "backends/cuda/memory_choice.h"
#include "backends/cuda/plan.h"
#include "backends/cuda/tuner.h"
#include "base/log.h"
#include "base/module.h"
#include "engine/sections.h"

namespace hedge::cuda {
namespace {

using nlohmann::json;

constexpr const char* kGpuSection = "gpu";

/// Throws bad_input with the advice where the precision cannot be had.
ElementKind kind_of_precision(const std::string& precision) {
  if (precision == "fp16") return ElementKind::kHalf;
  if (precision == "bf16") return ElementKind::kBfloat16;
  if (precision == "tf32") return ElementKind::kTf32;
  if (precision == "fp32") return ElementKind::kFloat32;
  throw bad_input(
      fmt::format("precision {}: not on the cuda backend yet; use --precision=fp16, bf16, tf32 or "
                  "fp32",
                  precision));
}

json describe_layers(const Plan& plan, const std::string& precision) {
  json layers = json::array();
  for (const Step& step : plan.steps) {
    layers.push_back({{"name", step.name},
                      {"kernel", step.kernel},
                      {"precision", step.host.run == nullptr ? precision : "fp32"},
                      {"multiply_accumulates", step.multiply_accumulates}});
  }
  return layers;
}

class CudaModel final : public CompiledModel, public std::enable_shared_from_this<CudaModel> {
 public:
  CudaModel(std::shared_ptr<const LoadedPlan> loaded, std::shared_ptr<const PixelSource> pixels)
      : loaded_(std::move(loaded)), pixels_(std::move(pixels)) {}
  [[nodiscard]] std::unique_ptr<ExecutionContext> create_context(
      const GpuOptions& gpu) const override {
    // The context keeps the model alive, so that the engine finds it again for the next one.
    return cuda::make_context({shared_from_this(), loaded_.get()}, gpu, pixels_);
  }

 private:
  std::shared_ptr<const LoadedPlan> loaded_;
  std::shared_ptr<const PixelSource> pixels_;
};

/// Throws bad_input where pixels are to be preprocessed and nothing says how.
std::shared_ptr<const PixelSource> pixel_source(const EngineInfo& info,
                                                const ContextOptions& options) {
  if (!options.pixels) return nullptr;
  if (!info.preprocessing) {
    throw bad_input(
        "the engine states no preprocessing, so the GPU cannot do it; state it with "
        "--preprocess=scale=...,mean=...,std=...");
  }
  return std::make_shared<const PixelSource>(
      PixelSource{*options.pixels, Preprocessing(*info.preprocessing)});
}

class CudaBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "cuda"; }
  [[nodiscard]] std::optional<std::string> unavailable_reason() const override {
    return cuda::unavailable_reason();
  }
  [[nodiscard]] std::string description() const override { return description_of(gpu()); }
  [[nodiscard]] int priority() const override { return 20; }
  [[nodiscard]] std::string_view default_precision() const override { return "fp16"; }
  [[nodiscard]] bool is_gpu() const override { return true; }
  [[nodiscard]] bool takes_pixels() const override { return true; }

  [[nodiscard]] BackendEngine build(const Graph& graph,
                                    const BuildOptions& options) const override {
    if (!options.layers.empty()) {
      throw bad_input("precisions of single layers: not on the cuda backend yet");
    }
    PlanOptions plan_options{.kind = kind_of_precision(options.precision), .tactics = {}};
    std::shared_ptr<const Plan> plan = compile(graph, plan_options);
    plan_options.tactics = choose_tactics(*plan, {.level = std::min(options.optimization_level, 5),
                                                  .timing_cache = options.timing_cache});
    if (!plan_options.tactics.empty()) plan = compile(graph, plan_options);
    BackendEngine engine;
    engine.sections = graph_sections(graph);
    engine.sections.push_back(text_section("tactics", json(plan_options.tactics).dump()));
    engine.sections.push_back(
        text_section(kGpuSection, json(Tactics{{"name", gpu().name}}).dump()));
    engine.layer_choices = describe_layers(*plan, options.precision);
    for (const std::string& text :
         describe_slow(plan->slow_layers, plan->steps.size(), kByReference)) {
      log(LogLevel::kWarning, text);
    }
    return engine;
  }

  // The file holds the graph, not machine code: an engine of another GPU runs, though with tactics
  // that were fastest there.
  [[nodiscard]] std::shared_ptr<const CompiledModel> load(
      std::span<const Section> sections, const EngineInfo& info,
      const ContextOptions& options) const override {
    auto pixels = pixel_source(info, options);
    const PlanOptions plan{.kind = kind_of_precision(info.precision),
                           .tactics = read_words(find_section(sections, "tactics"))};
    const auto built_on = read_words(find_section(sections, kGpuSection));
    auto loaded = load_plan(compile(graph_of_sections(sections, info, options.batch), plan));
    const auto name = built_on.find("name");
    if (const Gpu here = gpu(); name != built_on.end() && name->second != here.name) {
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
