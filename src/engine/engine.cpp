// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <map>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>

#include "engine/backend.h"
#include "engine/container.h"
#include "engine/gpu_options.h"

namespace hedge {
namespace {

class ContainerEngine final : public Engine {
 public:
  explicit ContainerEngine(EngineContainer container)
      : container_(std::move(container)), backend_(require_backend(container_.info.backend)) {}

  [[nodiscard]] const EngineInfo& info() const override { return container_.info; }

  [[nodiscard]] std::unique_ptr<ExecutionContext> create_context(
      const ContextOptions& options) const override {
    ContextOptions effective = options;
    if (effective.batch == 0) effective.batch = container_.info.batch;
    if (effective.batch < 1) throw bad_input(fmt::format("a batch of {} images", effective.batch));
    if (effective.threads < 1) throw bad_input(fmt::format("{} threads", effective.threads));
    require_gpu(backend_, options.gpu);
    if (options.pixels) require_pixels(backend_);
    return compiled(effective)->create_context(options.gpu);
  }

 private:
  /// Contexts with the same options share one compiled model as long as any of them lives.
  [[nodiscard]] std::shared_ptr<const CompiledModel> compiled(const ContextOptions& options) const {
    const std::lock_guard lock(mutex_);
    auto& cached = compiled_[{options.threads, options.batch, options.pixels}];
    auto model = cached.lock();
    if (!model) {
      model = backend_.load(container_.sections, container_.info, options);
      cached = model;
    }
    return model;
  }

  EngineContainer container_;
  const Backend& backend_;
  mutable std::mutex mutex_;
  using Key = std::tuple<int, std::int64_t, std::optional<PixelLayout>>;
  mutable std::map<Key, std::weak_ptr<const CompiledModel>> compiled_;
};

}  // namespace

std::shared_ptr<const Engine> make_engine(EngineContainer container) {
  return std::make_shared<ContainerEngine>(std::move(container));
}

std::shared_ptr<const Engine> Engine::load(const std::filesystem::path& path) {
  return make_engine(load_container(path));
}

}  // namespace hedge
