// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hedge/dataset.h"
#include "hedge/preprocessing.h"

namespace hedge {

/// A tensor at the border of an engine. Extents as the caller sees them, outermost (batch) first.
struct Binding {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// Where the ranges of an INT8 engine come from.
struct CalibrationInfo {
  std::string method;  ///< "entropy", "percentile 99.99", "cache TRT-...", "Q/DQ of the model".
  std::int64_t images = 0;   ///< That were read; 0: none.
  std::string source{};      ///< Of the images.
  bool test_images = false;  ///< Accuracy is measured on the same ones.
  std::string cache{};       ///< The file that was read or written; empty: none.
  std::string cache_sha256{};
  std::vector<std::string> keep{};  ///< Layers that were to stay in floating point.
};

/// Images of one inference, from `least` to `most`, of an engine that is fastest with `tuned`.
struct BatchRange {
  std::int64_t least = 1, tuned = 1, most = 1;
  bool operator==(const BatchRange&) const = default;
};

/// An early exit: scores that are known before the whole net has run.
struct ExitInfo {
  std::size_t output = 0;                 ///< Its number among the outputs; never 0, the net's own.
  bool ends_in_softmax = false;           ///< The exit's scores.
  std::int64_t multiply_accumulates = 0;  ///< Of the stem, for one image.
  std::vector<Binding> cut{};             ///< What the tail reads of the stem (or of the input).
};

/// What an engine says of itself: the metadata of the file.
struct EngineInfo {
  std::string model;    ///< "resnet8", from the file's name or --model-name.
  std::string dataset;  ///< "cifar"; empty when none was stated.
  /// The dataset whose classes and preprocessing the model was made for: `dataset`, or, where that
  /// is the user's own (folder:, npy:) or was stated anew, what the name or the file said before.
  /// Empty: unknown.
  std::string trained_on{};
  std::string precision;  ///< "fp32", "bf16", ...
  bool tf32 = false;      ///< What is fp32 multiplies in TF32.
  std::string backend;
  std::optional<PreprocessingRecipe> preprocessing;
  std::string source_file;    ///< Name of the ONNX file, without folder.
  std::string source_sha256;  ///< Of the ONNX file's bytes, hexadecimal.
  std::string target;         ///< Machine and library that it was built with, for people.
  std::string builder_version;
  std::vector<Binding> inputs;
  std::vector<Binding> outputs;
  std::int64_t parameters = 0;
  std::int64_t multiply_accumulates = 0;  ///< For one image.
  std::int64_t batch = 1;                 ///< Images of one inference as built.
  std::optional<BatchRange> batches{};    ///< Of engines built for a range; `batch` is its least.
  bool ends_in_softmax = false;
  std::optional<CalibrationInfo> calibration{};  ///< Of int8 engines.
  std::optional<ExitInfo> exit{};                ///< Of engines with an early exit.
};

/// How the host waits for a GPU.
enum class WaitMode : std::uint8_t {
  kSpin,   ///< Looks again and again: soonest to know, and a CPU is busy all the while.
  kYield,  ///< Likewise, but offers the CPU to other threads between two looks.
  kBlock,  ///< Sleeps until the driver wakes it.
};

/// Where input and outputs of a GPU's context lie, and how they get there (docs/cuda.md).
enum class MemoryMode : std::uint8_t {
  kAuto,             ///< What is fastest for this GPU and these sizes.
  kMapped,           ///< Page-locked memory of the host, used by the GPU where it is.
  kManaged,          ///< Managed memory, attached to the context's stream.
  kManagedOriginal,  ///< Managed memory, attached once as the original does.
  kPinned,           ///< Page-locked memory of the host, copied by infer().
  kDevice,           ///< The GPU's memory; copied by copy_in() and copy_out() alone.
};

/// What only backends on a GPU can be asked for; empty: the backend's own choice.
struct GpuOptions {
  std::optional<WaitMode> wait{};      ///< Default: kSpin.
  std::optional<MemoryMode> memory{};  ///< Default: kAuto.
  std::optional<bool> cuda_graph{};    ///< Default: true. False: launches layer by layer.
  bool operator==(const GpuOptions&) const = default;
};

/// How an engine is to be run.
struct ContextOptions {
  int threads = 1;
  std::int64_t batch = 0;  ///< Images of one inference; 0 means as built.
  GpuOptions gpu{};
  /// Set: the context takes images of 8 bits that lie so (PixelInput), and makes the tensor of them
  /// by the engine's recipe as part of infer(). For backends that can.
  std::optional<PixelLayout> pixels{};
};

/// Bytes held, as far as the backend can tell.
struct MemoryUse {
  std::size_t engine_bytes = 0;  ///< Weights, shared by all contexts.
  std::size_t arena_bytes = 0;   ///< Intermediate values and scratch, for each context.
};

/// One inference in flight. Used by one thread at a time; all spans are valid for its lifetime.
class ExecutionContext {
 public:
  virtual ~ExecutionContext() = default;
  /// The first input, written by the caller before infer(): batch x image, row-major. Empty where
  /// the context takes pixels instead (PixelInput).
  [[nodiscard]] virtual std::span<float> input() = 0;
  [[nodiscard]] virtual std::size_t output_count() const = 0;
  /// Scores, batch x classes, readable after infer() (MemoryMode::kDevice: after copy_out()).
  [[nodiscard]] virtual std::span<const float> output(std::size_t index) const = 0;
  /// Runs the net. No allocation, no lock, unless warnings() says so. This one indirect call is the
  /// only dispatch in the timed region.
  virtual void infer() = 0;
  /// With MemoryMode::kDevice the input reaches infer(), and its outputs the host, by these two
  /// alone; in all other modes infer() does it, and these do nothing.
  virtual void copy_in() {}
  virtual void copy_out() {}
  [[nodiscard]] virtual MemoryUse memory() const = 0;
  /// What a reader of its latency should know, a line each: layers that have no fast kernel.
  [[nodiscard]] virtual std::vector<std::string> warnings() const { return {}; }
};

/// An ability of contexts on a GPU (ask with dynamic_cast): what became of GpuOptions.
class GpuContext {
 public:
  struct Execution {
    bool cuda_graph = false;  ///< A captured graph is replayed.
    std::string memory_mode;  ///< "pinned", or "pinned input, mapped output" where they differ.
    std::string wait;         ///< "spin", "yield", "block".
  };
  virtual ~GpuContext() = default;
  [[nodiscard]] virtual Execution execution() const = 0;
};

/// An ability that some contexts have (ask with dynamic_cast): the time of each layer.
class LayerProfiler {
 public:
  struct Layer {
    std::string name;
    std::string kernel;                     ///< Implementation, with what is fused into it.
    std::int64_t multiply_accumulates = 0;  ///< Of the whole batch.
  };
  virtual ~LayerProfiler() = default;
  [[nodiscard]] virtual std::vector<Layer> layers() const = 0;
  /// As infer(), and adds the nanoseconds of each layer to `layer_ns` (one entry a layer).
  virtual void infer_profiled(std::span<std::int64_t> layer_ns) = 0;
};

/// An ability of the contexts of engines with an early exit (EngineInfo::exit; ask with
/// dynamic_cast): infer() in two parts, of which the second need not follow. Neither allocates or
/// locks, as infer().
class EarlyExitContext {
 public:
  virtual ~EarlyExitContext() = default;
  /// Reads input() and runs what the exit's scores need: output(exit->output) is readable after it,
  /// the others are not.
  virtual void run_stem() = 0;
  /// The rest, on what the last run_stem() left; all outputs are readable after it. At most once
  /// for each run_stem(), with no infer() and no change of input() in between.
  virtual void run_tail() = 0;
  /// Of LayerProfiler::layers(), the first that run_stem() runs.
  [[nodiscard]] virtual std::size_t stem_layers() const = 0;
};

/// An ability of contexts that were created with ContextOptions::pixels (ask with dynamic_cast):
/// preprocessing as part of infer(), with the bits that Preprocessing gives.
class PixelInput {
 public:
  virtual ~PixelInput() = default;
  /// In place of input(), written by the caller before infer(): batch x image, 3 bytes a pixel in
  /// the layout asked for, red, green, blue, of the height and width of the engine's recipe.
  [[nodiscard]] virtual std::span<std::uint8_t> input_u8() = 0;
};

/// An ability that some contexts have (ask with dynamic_cast): where the time of an inference goes.
class TimeSplitter {
 public:
  /// Nanoseconds. Parts that the context does not have are absent.
  struct Split {
    std::int64_t wall_ns = 0;     ///< Host: an inference as infer() does it.
    std::int64_t enqueue_ns = 0;  ///< Host: of that, until all was handed to the device.
    // Of the device, by its own clock, taken from another inference.
    std::optional<std::int64_t> copy_in_ns{};
    std::optional<std::int64_t> preprocess_ns{};
    std::int64_t compute_ns = 0;
    std::optional<std::int64_t> copy_out_ns{};
  };
  virtual ~TimeSplitter() = default;
  /// Whether one call of the driver hands over all of an inference (a captured graph).
  [[nodiscard]] virtual bool enqueues_at_once() const = 0;
  /// Runs the net twice: as infer() does, and with what takes the device's times, which itself
  /// takes time. Outputs are readable after it. The first call allocates.
  [[nodiscard]] virtual Split infer_split() = 0;
};

/// A network ready to run. Immutable, shared between threads.
class Engine {
 public:
  virtual ~Engine() = default;

  /// Reads an engine file. Throws bad_input: not an engine, truncated, corrupted, of a newer
  /// version, for a backend that is not available here (with the reason), without the libraries it
  /// needs.
  static std::shared_ptr<const Engine> load(const std::filesystem::path& path);

  [[nodiscard]] virtual const EngineInfo& info() const = 0;
  /// Contexts with the same options share their weights. Throws bad_input when the engine cannot be
  /// run so (a batch that it fixes, GpuOptions without a GPU, pixels that its backend does not
  /// take), runtime_failure when the library refuses.
  [[nodiscard]] virtual std::unique_ptr<ExecutionContext> create_context(
      const ContextOptions& options) const = 0;
};

}  // namespace hedge
