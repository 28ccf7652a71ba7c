// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "graph/graph.h"
#include "graph/onnx_form.h"
#include "hedge/engine.h"

namespace hedge {

/// The parts of an engine file that belong to its backend, by name.
struct Section {
  std::string name;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  ///< Keeps the bytes alive.
};

inline constexpr int kHighestOptimizationLevel = 5;

enum class Sparsity : std::uint8_t {
  kDisable,
  kEnable,  ///< Where weights have at most two of four that are not zero, zeros may be left out.
  kForce,   ///< The two smallest of each four become zero before. What that costs is not looked at.
};

/// What only a vendor's compiler can be asked for (BackendTraits::compiler_options).
struct CompilerOptions {
  std::size_t workspace_bytes = 0;  ///< Most scratch memory of one tactic; 0: as much as there is.
  Sparsity sparsity = Sparsity::kDisable;
  std::optional<int> dla_core{};     ///< Layers go to this deep-learning accelerator.
  bool gpu_fallback = false;         ///< Those that it cannot run go to the GPU.
  std::optional<int> aux_streams{};  ///< Most streams beside the caller's; empty: as it thinks fit.
  /// Of the L2 cache that can be set aside, what contexts may keep activations in; 0 to 1.
  double persistent_cache_ratio = 0;
  bool operator==(const CompilerOptions&) const = default;
};

/// Images for a vendor's own calibrator (BackendTraits::native_calibrator): the graph of an int8
/// engine carries no ranges then.
struct NativeCalibration {
  /// Writes the next batch, of as many images as the graph's input takes; false where there is none
  /// left. May throw, which ends the build.
  std::function<bool(std::span<float> images)> next{};
  std::filesystem::path cache;  ///< The vendor's ranges: read where it exists, else written.
};

struct BuildOptions {
  std::string precision;
  /// Of what an int8 or fp8 engine computes in wider floats; empty: BackendTraits::int8_fallback.
  std::string fallback{};
  /// Precisions of single layers that do not compute in integers, by their names.
  std::map<std::string, std::string> layers{};
  bool allow_tf32 = false;  ///< What is to be fp32 may multiply in TF32 (10 bits of fraction).
  /// 0 (no tactic is timed) to kHighestOptimizationLevel; trtexec's scale.
  int optimization_level = 3;
  int threads = 1;
  std::filesystem::path timing_cache;  ///< Empty: none.
  /// The output of the early exit; the nodes that it needs come first (graph/early_exit.h).
  std::optional<std::size_t> exit_output{};
  CompilerOptions compiler{};
  /// Set: contexts choose their batch in it (BackendTraits::batch_ranges); the graph has its least.
  std::optional<BatchRange> batches{};
  std::optional<NativeCalibration> native_calibration{};
  std::optional<Float8Form> float8{};  ///< Of precision fp8.
  /// The graph as ONNX, for backends whose compiler reads that: a backend sees neither the importer
  /// nor the original file. Set by the builder.
  std::function<std::string(const Graph& graph, const OnnxForm& form)> write_onnx{};
  /// Called by backends whose compiler tells how far it is, from one thread at a time. May be
  /// empty.
  std::function<void(std::int64_t done, std::int64_t total)> progress{};
};

/// What a backend is, for those who prepare its graphs and options.
struct BackendTraits {
  bool gpu = false;  ///< Contexts take GpuOptions; where not, none reach the backend.
  bool takes_pixels =
      false;  ///< load() heeds ContextOptions::pixels: contexts are PixelInputs then.
  bool signed_int8_only = false;   ///< No activation in uint8.
  bool compiler_options = false;   ///< It heeds CompilerOptions; others must not be given any.
  bool native_calibrator = false;  ///< It heeds NativeCalibration.
  bool float8 = false;             ///< It has precision fp8 on this machine.
  bool makes_plan = false;         ///< A section kPlanSection, which others can run as well.
  bool batch_ranges = false;       ///< It heeds BuildOptions::batches; others run any batch.
  /// LayerProfiler tells the times of the graph's own layers. Where not, the compiler's are several
  /// of them in one, and what a precision is worth only whole nets tell.
  bool times_layers = true;
  std::string int8_fallback = "fp32";  ///< What an int8 engine computes in where not in integers.
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
  [[nodiscard]] virtual BackendTraits traits() const { return {}; }

  /// `graph` is optimised (passes/optimize.h). Throws bad_input: a precision that this machine or
  /// backend lacks (with the advice), layers that it cannot run (all their names).
  [[nodiscard]] virtual BackendEngine build(const Graph& graph,
                                            const BuildOptions& options) const = 0;
  /// The same sections again, for running. `info` says the precision.
  [[nodiscard]] virtual std::shared_ptr<const CompiledModel> load(
      std::span<const Section> sections, const EngineInfo& info,
      const ContextOptions& options) const = 0;
};

/// Throws bad_input unless traits().takes_pixels.
void require_pixels(const Backend& backend);

/// The section of a vendor's engine as other programs of that vendor read it.
inline constexpr const char* kPlanSection = "plan";

/// An ability of some backends (ask with dynamic_cast): they run files that are no engines of
/// Hedge's.
class ForeignEngineReader {
 public:
  virtual ~ForeignEngineReader() = default;
  /// For people: "plan of TensorRT".
  [[nodiscard]] virtual std::string_view file_kind() const = 0;
  /// By the file's first bytes alone; also where the backend is not available.
  [[nodiscard]] virtual bool recognizes(std::span<const std::byte> bytes) const = 0;
  struct ForeignEngine {
    EngineInfo info;  ///< What the bytes tell: inputs, outputs, batch, target, builder_version.
    std::vector<Section> sections;
  };
  /// Throws bad_input where it cannot be run. The bytes are valid as long as `owner`.
  [[nodiscard]] virtual ForeignEngine read(std::span<const std::byte> bytes,
                                           std::shared_ptr<const void> owner) const = 0;
};

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
