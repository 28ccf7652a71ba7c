// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "backends/gpu/device.h"
#include "backends/gpu/memory_choice.h"
#include "backends/tensorrt/bare_plan.h"
#include "backends/tensorrt/build_plan.h"
#include "backends/tensorrt/libraries.h"
#include "backends/tensorrt/loaded_plan.h"
#include "backends/tensorrt/tensorrt_net.h"
#include "base/log.h"
#include "base/module.h"
#include "base/text.h"
#include "engine/sections.h"

namespace hedge::tensorrt {
namespace {

using nlohmann::json;

constexpr const char* kOriginSection = "tensorrt";

// Words of that section; outputs are numbered.
constexpr const char* kVersion = "version";
constexpr const char* kGpu = "gpu";
constexpr const char* kDlaCore = "dla_core";
constexpr const char* kPersistentCache = "persistent_cache_ratio";
constexpr const char* kInput = "input";
constexpr const char* kOutput = "output";

using Words = std::map<std::string, std::string>;

Section bytes_section(std::string name, std::vector<std::byte> bytes) {
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return {std::move(name), *owner, owner};
}

std::string word(const Words& words, const std::string& name) {
  const auto found = words.find(name);
  return found == words.end() ? std::string() : found->second;
}

Words origin_words(const BuiltPlan& plan, const BuildOptions& options) {
  Words words{{kVersion, version_text(Libraries::get().version())},
              {kGpu, gpu::description_of(gpu::device())},
              {kInput, plan.input}};
  if (options.compiler.dla_core) words[kDlaCore] = std::to_string(*options.compiler.dla_core);
  if (options.compiler.persistent_cache_ratio > 0) {
    words[kPersistentCache] = fmt::format("{}", options.compiler.persistent_cache_ratio);
  }
  for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
    words[kOutput + std::to_string(i)] = plan.outputs[i];
  }
  return words;
}

PlanOrigin origin_of(const Words& words) {
  return {.version = word(words, kVersion),
          .gpu = word(words, kGpu),
          .dla_core = parse_integer<int>(word(words, kDlaCore))};
}

/// In the graph's order, which TensorRT need not keep. Throws bad_input where the plan has others.
PlanBindings bindings_of(const LoadedPlan& plan, const Words& words) {
  PlanBindings bindings = plan.bindings();
  if (word(words, kInput).empty()) return bindings;  // A bare plan.
  PlanBindings stated{.input = word(words, kInput), .outputs = {}};
  for (std::string name;
       !(name = word(words, kOutput + std::to_string(stated.outputs.size()))).empty();) {
    stated.outputs.push_back(std::move(name));
  }
  std::vector<std::string> have = bindings.outputs;
  std::vector<std::string> want = stated.outputs;
  std::ranges::sort(have);
  std::ranges::sort(want);
  if (stated.input != bindings.input || have != want) {
    throw bad_input(
        "the plan's inputs and outputs are not those that the engine file says; build "
        "the engine again");
  }
  return stated;
}

/// Bytes of this GPU's L2 cache; adds a warning where it has none to set aside.
std::size_t persistent_bytes(const Words& words, std::vector<std::string>& warnings) {
  const std::string text = word(words, kPersistentCache);
  if (text.empty()) return 0;
  const auto ratio = parse_share(text);
  if (!ratio) {
    throw bad_input(fmt::format("{} is {}, no part of a cache; build the engine again",
                                kPersistentCache, printable(text, 40)));
  }
  const int most = gpu::device_attribute(cudaDevAttrMaxPersistingL2CacheSize);
  if (most <= 0) {
    warnings.emplace_back(
        "the engine is to keep activations in L2 (--persistentCacheRatio), of which this GPU can "
        "set nothing aside");
  }
  return static_cast<std::size_t>(std::max(most, 0) * *ratio);
}

/// What TensorRT made of the layers, which only the plan that it has taken tells: so a plan that
/// cannot be loaded is found when it is built.
json describe_layers(const BuiltPlan& plan, const Words& words) {
  const std::string text = LoadedPlan(plan.bytes, origin_of(words)).layer_information();
  json layers = json::parse(text, nullptr, false);
  if (layers.is_discarded()) layers = printable(text, text.size());
  json choices{{"tensorrt", std::move(layers)}};
  if (!plan.sparsity.empty()) choices["sparsity"] = plan.sparsity;
  return choices;
}

Words words_of(std::span<const Section> sections) {
  const auto found = std::ranges::find(sections, kOriginSection, &Section::name);
  return found == sections.end() ? Words{} : read_words(*found);
}

class TensorRtModel final : public CompiledModel,
                            public std::enable_shared_from_this<TensorRtModel> {
 public:
  TensorRtModel(std::span<const Section> sections, std::int64_t batch,
                std::shared_ptr<const gpu::PixelSource> pixels)
      : words_(words_of(sections)),
        plan_(find_section(sections, kPlanSection).bytes, origin_of(words_)),
        bindings_(bindings_of(plan_, words_)),
        batch_(batch),
        pixels_(std::move(pixels)) {}

  [[nodiscard]] std::unique_ptr<ExecutionContext> create_context(
      const GpuOptions& options) const override {
    // The context keeps the model alive, so that the engine finds it again for the next one.
    const std::shared_ptr<const LoadedPlan> plan(shared_from_this(), &plan_);
    std::vector<std::string> warnings;
    const std::size_t cache = persistent_bytes(words_, warnings);
    return gpu::make_context(
        [&] { return std::make_unique<TensorRtNet>(plan, bindings_, batch_, cache); }, options,
        pixels_, warnings);
  }

 private:
  Words words_;
  LoadedPlan plan_;
  PlanBindings bindings_;
  std::int64_t batch_;
  std::shared_ptr<const gpu::PixelSource> pixels_;
};

class TensorRtBackend final : public Backend, public ForeignEngineReader {
 public:
  [[nodiscard]] std::string_view name() const override { return "tensorrt"; }
  [[nodiscard]] std::optional<std::string> unavailable_reason() const override {
    if (auto reason = Libraries::unavailable_reason()) return reason;
    return gpu::unavailable_reason();
  }
  [[nodiscard]] std::string description() const override {
    return fmt::format("TensorRT {}, {}", version_text(Libraries::get().version()),
                       gpu::description_of(gpu::device()));
  }
  [[nodiscard]] int priority() const override { return 30; }
  [[nodiscard]] std::string_view default_precision() const override { return "fp16"; }
  [[nodiscard]] BackendTraits traits() const override {
    return {.gpu = true,
            .takes_pixels = true,
            .signed_int8_only = true,
            .compiler_options = true,
            .native_calibrator = kHasCalibrator,
            .float8 = no_float8_reason().empty(),
            .makes_plan = true,
            .batch_ranges = true,
            .times_layers = false,
            .int8_fallback = "fp16"};
  }

  [[nodiscard]] BackendEngine build(const Graph& graph,
                                    const BuildOptions& options) const override {
    BuiltPlan plan = build_plan(graph, options, Libraries::get());
    for (const std::string& line : plan.sparsity) log(LogLevel::kInfo, line);
    if (options.compiler.sparsity != Sparsity::kDisable && plan.sparsity.empty()) {
      log(LogLevel::kWarning, "sparsity: TensorRT says of no layer that it is or could be sparse");
    }
    const Words words = origin_words(plan, options);
    BackendEngine engine;
    engine.tf32 = options.allow_tf32 && float_precision(options) == "fp32";
    engine.layer_choices = describe_layers(plan, words);
    engine.sections.push_back(bytes_section(kPlanSection, std::move(plan.bytes)));
    engine.sections.push_back(text_section(kOriginSection, json(words).dump()));
    return engine;
  }

  [[nodiscard]] std::shared_ptr<const CompiledModel> load(
      std::span<const Section> sections, const EngineInfo& info,
      const ContextOptions& options) const override {
    return std::make_shared<TensorRtModel>(sections, options.batch,
                                           gpu::pixel_source(info, options));
  }

  [[nodiscard]] std::string_view file_kind() const override { return "plan of TensorRT"; }
  [[nodiscard]] bool recognizes(std::span<const std::byte> bytes) const override {
    return is_plan(bytes);
  }
  [[nodiscard]] ForeignEngine read(std::span<const std::byte> bytes,
                                   std::shared_ptr<const void> owner) const override {
    return {.info = describe_bare_plan(bytes),
            .sections = {{kPlanSection, bytes, std::move(owner)}}};
  }
};

}  // namespace
}  // namespace hedge::tensorrt

extern "C" const char* hedge_module_abi() {
  return HEDGE_MODULE_ABI;
}
extern "C" const hedge::Backend* hedge_backend() {
  static const hedge::tensorrt::TensorRtBackend backend;
  return &backend;
}
