// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "graph/graph.h"
#include "hedge/engine.h"

namespace hedge {

/// The parts of an engine file that belong to its backend, by name.
struct Section {
  std::string name;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  ///< Keeps the bytes alive.
};

inline constexpr int kHighestOptimizationLevel = 5;

struct BuildOptions {
  std::string precision;
  /// Precisions of single layers that do not compute in integers, by their names.
  std::map<std::string, std::string> layers{};
  bool allow_tf32 = false;  ///< What is to be fp32 may multiply in TF32 (10 bits of fraction).
  /// 0 (no tactic is timed) to kHighestOptimizationLevel; trtexec's scale.
  int optimization_level = 3;
  int threads = 1;
  std::filesystem::path timing_cache;  ///< Empty: none.
  /// The output of the early exit; the nodes that it needs come first (graph/early_exit.h).
  std::optional<std::size_t> exit_output{};
};

/// What a backend makes of a graph.
struct BackendEngine {
  std::vector<Section> sections;
  nlohmann::json layer_choices;  ///< For people and for `info`: precision and tactic of each layer.
  bool tf32 = false;             ///< BuildOptions::allow_tf32 was made use of.
};

/// An engine loaded by its backend for given options. Immutable, shared between threads.
class CompiledModel {
 public:
  virtual ~CompiledModel() = default;
  /// By the same options as load(), but for `gpu`, which is the context's own.
  [[nodiscard]] virtual std::unique_ptr<ExecutionContext> create_context(
      const GpuOptions& gpu) const = 0;
};

/// One way of executing graphs. Lives in a module `libhedge-backend-<name>.so` that exports
/// `extern "C" const hedge::Backend* hedge_backend()`.
class Backend {
 public:
  virtual ~Backend() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// Why it cannot run on this machine; nothing when it can.
  [[nodiscard]] virtual std::optional<std::string> unavailable_reason() const = 0;
  /// For `info` and the metadata: "oneDNN 2.6.3, avx512_core_bf16".
  [[nodiscard]] virtual std::string description() const = 0;
  /// Among the available ones the highest is the default; negative: only when named.
  [[nodiscard]] virtual int priority() const = 0;
  [[nodiscard]] virtual std::string_view default_precision() const = 0;
  /// Whether contexts take GpuOptions; where not, none reach the backend.
  [[nodiscard]] virtual bool is_gpu() const { return false; }
  /// Whether load() heeds ContextOptions::pixels: its contexts are PixelInputs then.
  [[nodiscard]] virtual bool takes_pixels() const { return false; }

  /// `graph` is optimised (passes/optimize.h). Throws bad_input: a precision that this machine or
  /// backend lacks (with the advice), layers that it cannot run (all their names).
  [[nodiscard]] virtual BackendEngine build(const Graph& graph,
                                            const BuildOptions& options) const = 0;
  /// The same sections again, for running. `info` says the precision.
  [[nodiscard]] virtual std::shared_ptr<const CompiledModel> load(
      std::span<const Section> sections, const EngineInfo& info,
      const ContextOptions& options) const = 0;
};

/// Throws bad_input unless it takes_pixels().
void require_pixels(const Backend& backend);

/// A backend's module, or why it cannot be used.
struct BackendStatus {
  std::string name;
  const Backend* backend = nullptr;  ///< Null when the module itself does not load.
  std::string unavailable_reason;    ///< Empty when it can run.
};

/// Every backend whose module is present, available or not, sorted by falling priority.
[[nodiscard]] std::vector<BackendStatus> list_backends();
/// Throws bad_input: no such backend (names those there are), or not available here (why).
[[nodiscard]] const Backend& require_backend(const std::string& name);
/// The available backend of the highest priority.
[[nodiscard]] const Backend& default_backend();

}  // namespace hedge
