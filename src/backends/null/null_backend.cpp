// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "base/module.h"
#include "engine/backend.h"

namespace hedge {
namespace {

/// Does nothing and always answers class 0: what remains in a measurement is the harness.
class NullContext : public ExecutionContext {
 public:
  NullContext(std::size_t input_size, std::vector<std::vector<float>> outputs)
      : input_(input_size), outputs_(std::move(outputs)) {}

  [[nodiscard]] std::span<float> input() override { return input_; }
  [[nodiscard]] std::size_t output_count() const override { return outputs_.size(); }
  [[nodiscard]] std::span<const float> output(std::size_t index) const override {
    return outputs_.at(index);
  }
  void infer() override {}
  [[nodiscard]] MemoryUse memory() const override { return {}; }

 private:
  std::vector<float> input_;
  std::vector<std::vector<float>> outputs_;
};

/// Looks at pixels as little as at a tensor.
class NullPixelContext final : public NullContext, public PixelInput {
 public:
  NullPixelContext(std::size_t input_size, std::vector<std::vector<float>> outputs)
      : NullContext(0, std::move(outputs)), pixels_(input_size) {}
  [[nodiscard]] std::span<std::uint8_t> input_u8() override { return pixels_; }

 private:
  std::vector<std::uint8_t> pixels_;
};

class NullEarlyExitContext final : public NullContext, public EarlyExitContext {
 public:
  using NullContext::NullContext;
  void run_stem() override {}
  void run_tail() override {}
  [[nodiscard]] std::size_t stem_layers() const override { return 0; }
};

std::size_t elements(const Binding& binding, std::int64_t built_batch, std::int64_t batch) {
  const auto count = static_cast<std::size_t>(element_count(binding.shape));
  return count / static_cast<std::size_t>(built_batch) * static_cast<std::size_t>(batch);
}

class NullModel final : public CompiledModel {
 public:
  NullModel(EngineInfo info, const ContextOptions& options)
      : info_(std::move(info)), batch_(options.batch), takes_pixels_(options.pixels.has_value()) {}

  [[nodiscard]] std::unique_ptr<ExecutionContext> create_context(
      const GpuOptions& /*gpu*/) const override {
    std::vector<std::vector<float>> outputs;
    for (const Binding& binding : info_.outputs) {
      std::vector<float> scores(elements(binding, info_.batch, batch_), 0.F);
      const std::size_t classes = scores.size() / static_cast<std::size_t>(batch_);
      for (std::size_t i = 0; classes > 0 && i < scores.size(); i += classes) scores[i] = 1.F;
      outputs.push_back(std::move(scores));
    }
    const std::size_t input = elements(info_.inputs.front(), info_.batch, batch_);
    if (takes_pixels_) return std::make_unique<NullPixelContext>(input, std::move(outputs));
    if (info_.exit) return std::make_unique<NullEarlyExitContext>(input, std::move(outputs));
    return std::make_unique<NullContext>(input, std::move(outputs));
  }

 private:
  EngineInfo info_;
  std::int64_t batch_;
  bool takes_pixels_;
};

class NullBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "null"; }
  [[nodiscard]] std::optional<std::string> unavailable_reason() const override {
    return std::nullopt;
  }
  [[nodiscard]] std::string description() const override { return "does nothing, answers class 0"; }
  [[nodiscard]] int priority() const override { return -1; }
  [[nodiscard]] std::string_view default_precision() const override { return "fp32"; }
  [[nodiscard]] BackendTraits traits() const override { return {.takes_pixels = true}; }

  [[nodiscard]] BackendEngine build(const Graph& /*graph*/,
                                    const BuildOptions& /*options*/) const override {
    return {{}, nlohmann::json::array()};
  }
  [[nodiscard]] std::shared_ptr<const CompiledModel> load(
      std::span<const Section> /*sections*/, const EngineInfo& info,
      const ContextOptions& options) const override {
    return std::make_shared<NullModel>(info, options);
  }
};

}  // namespace
}  // namespace hedge

extern "C" const char* hedge_module_abi() {
  return HEDGE_MODULE_ABI;
}
extern "C" const hedge::Backend* hedge_backend() {
  static const hedge::NullBackend backend;
  return &backend;
}
