// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "backends/cpu/cpu_context.h"
#include "backends/cpu/plan.h"
#include "backends/cpu/tuner.h"
#include "base/log.h"
#include "base/module.h"
#include "engine/sections.h"
#include "graph/integer_layer.h"

namespace hedge::cpu {
namespace {

using nlohmann::json;
using Type = dnnl::memory::data_type;

/// Whether this oneDNN has a fast convolution of the type on this machine.
bool runs_natively(Type type) {
  using Tag = dnnl::memory::format_tag;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  const Desc plane({1, 16, 8, 8}, type, Tag::any);
  const Desc weights({16, 16, 3, 3}, type, Tag::any);
  try {
    bool fast = false;
    for_each_convolution(engine, dnnl::algorithm::convolution_direct, plane, weights, Desc(), plane,
                         {{3, 3}, {1, 1}, {0, 0}, {1, 1}, {1, 1}}, {}, [&](const auto& desc) {
                           fast = !is_slow(desc.impl_info_str());
                           return true;
                         });
    return fast;
  } catch (const dnnl::error&) {
    return false;
  }
}

/// Throws bad_input with the advice where the precision cannot be had.
Type type_of_precision(const std::string& precision) {
  const auto advice = [] { return runs_natively(Type::bf16) ? "bf16 or fp32" : "fp32"; };
  if (precision == "fp32") return Type::f32;
  if (precision == "bf16") {
    if (runs_natively(Type::bf16)) return Type::bf16;
    throw bad_input(
        fmt::format("precision bf16: this CPU ({}) has no bf16 convolutions; use --precision=fp32",
                    effective_isa_name()));
  }
  if (precision == "fp16") {
    if (runs_natively(Type::f16)) return Type::f16;
    throw bad_input(fmt::format(
        "precision fp16: oneDNN {} has no fp16 convolutions on this CPU ({}); use --precision={}",
        library_version(), effective_isa_name(), advice()));
  }
  // What is held in 8 bits the graph says itself; this is the type of all else.
  if (precision == "int8" || precision == "best") return Type::f32;
  throw bad_input(
      fmt::format("precision {}: not on a CPU; use --precision={}", precision, advice()));
}

std::map<std::string, Type> types_of_layers(const std::map<std::string, std::string>& layers) {
  std::map<std::string, Type> types;
  for (const auto& [name, precision] : layers) types[name] = type_of_precision(precision);
  return types;
}

/// Of engines that have a precision for each layer.
std::map<std::string, Type> read_precisions(std::span<const Section> sections) {
  for (const Section& section : sections) {
    if (section.name == "precisions") return types_of_layers(read_words(section));
  }
  return {};
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

std::optional<std::size_t> exit_output(const EngineInfo& info) {
  if (!info.exit) return std::nullopt;
  return info.exit->output;
}

class CpuModel final : public CompiledModel, public std::enable_shared_from_this<CpuModel> {
 public:
  explicit CpuModel(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}
  [[nodiscard]] std::unique_ptr<ExecutionContext> create_context(
      const GpuOptions& /*gpu*/) const override {
    // The context keeps the model alive, so that the engine finds it again for the next one.
    std::shared_ptr<const Plan> plan(shared_from_this(), plan_.get());
    if (plan->stem_steps > 0) return std::make_unique<CpuEarlyExitContext>(std::move(plan));
    return std::make_unique<CpuContext>(std::move(plan));
  }

 private:
  std::shared_ptr<const Plan> plan_;
};

class CpuBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "cpu"; }
  [[nodiscard]] std::optional<std::string> unavailable_reason() const override {
    return std::nullopt;
  }
  [[nodiscard]] std::string description() const override {
    return fmt::format("oneDNN {}, {}", library_version(), effective_isa_name());
  }
  [[nodiscard]] int priority() const override { return 10; }
  [[nodiscard]] std::string_view default_precision() const override { return "fp32"; }

  [[nodiscard]] BackendEngine build(const Graph& graph,
                                    const BuildOptions& options) const override {
    if (options.precision == "int8") require_integer_layer(graph);
    TunerOptions tuner;
    tuner.plan.precision = type_of_precision(options.precision);
    tuner.plan.precisions = types_of_layers(options.layers);
    tuner.plan.threads = options.threads;
    tuner.plan.exit_output = options.exit_output;
    tuner.level = options.optimization_level;
    tuner.timing_cache = options.timing_cache;
    const auto plain = compile(graph, tuner.plan);  // Before the tuner: names what is unsupported.
    tuner.plan.tactics = choose_tactics(graph, tuner);
    const auto plan = tuner.plan.tactics.empty() ? plain : compile(graph, tuner.plan);

    BackendEngine engine;
    engine.sections = graph_sections(graph);
    engine.sections.push_back(text_section("tactics", json(tuner.plan.tactics).dump()));
    if (!options.layers.empty()) {
      engine.sections.push_back(text_section("precisions", json(options.layers).dump()));
    }
    engine.layer_choices = describe_layers(*plan);
    for (const std::string& text : warnings_of(*plan)) log(LogLevel::kWarning, text);
    return engine;
  }

  // The file holds the graph, not machine code: kernels are generated here, for this CPU, so an
  // engine of another one runs as far as the precision exists here.
  [[nodiscard]] std::shared_ptr<const CompiledModel> load(
      std::span<const Section> sections, const EngineInfo& info,
      const ContextOptions& options) const override {
    const PlanOptions plan{.precision = type_of_precision(info.precision),
                           .precisions = read_precisions(sections),
                           .threads = options.threads,
                           .tactics = read_words(find_section(sections, "tactics")),
                           .exit_output = exit_output(info)};
    return std::make_shared<CpuModel>(
        compile(graph_of_sections(sections, info, options.batch), plan));
  }
};

}  // namespace
}  // namespace hedge::cpu

extern "C" const char* hedge_module_abi() {
  return HEDGE_MODULE_ABI;
}
extern "C" const hedge::Backend* hedge_backend() {
  static const hedge::cpu::CpuBackend backend;
  return &backend;
}
