// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "builder/builder.h"
#include "hedge/dataset.h"
#include "hedge/engine.h"
#include "measure/timer.h"
#include "result/result.h"

namespace CLI {
class App;
}

namespace hedge::cli {

/// Flags about how a GPU runs a model, as texts; empty: not given.
struct GpuFlags {
  std::string wait;
  std::string memory;
  bool no_cuda_graph = false;
};

/// The flags of all programs that run a model.
struct ModelOptions {
  std::string model;
  std::string backend;
  std::string precision;
  bool no_tf32 = false;
  std::string dataset;
  std::string preprocess;
  std::string preprocess_flag = "--preprocess";  ///< That states `preprocess`, for messages.
  std::string data;
  std::string labels;
  std::string threads = "1";
  std::string shape;
  std::string decode_threads;
  bool decode_overlap = false;
  GpuFlags gpu;
  std::string preprocess_on;  ///< "cpu" or "gpu"; empty: not given, "cpu".
  bool stem = false;          ///< Of a net with an early exit, what runs is the part up to there.
};

void add_model_options(CLI::App& app, ModelOptions& options);
/// --wait, --memory and --no-cuda-graph, for programs that run inferences.
void add_gpu_options(CLI::App& app, GpuFlags& flags);
/// --decode-threads and --decode-overlap, for programs that go through a whole dataset.
void add_decode_options(CLI::App& app, ModelOptions& options);
/// --preprocess-on, for programs that can leave preprocessing to infer().
void add_preprocess_place(CLI::App& app, ModelOptions& options);
/// Of such programs, before all else: --preprocess=cpu and =gpu, the short form, become
/// --preprocess-on. Throws bad_input where they differ.
void settle_preprocess_place(ModelOptions& options);
[[nodiscard]] inline bool preprocesses_on_gpu(const ModelOptions& options) {
  return options.preprocess_on == "gpu";
}
/// --precision and the original's --fp16, --int8, --fp8, --best, --noTF32 beside it.
void add_precision_options(CLI::App& app, std::string& precision, bool& no_tf32);
/// EngineBuildOptions::allow_tf32. Throws bad_input where both are stated.
[[nodiscard]] bool allow_tf32(const std::string& precision, bool no_tf32);
/// --shape, and trtexec's --shapes, as parse_shapes reads it.
void add_shape_option(CLI::App& app, std::string& shape);
/// --preprocess, parsed; nothing where it was not given. Throws bad_input where it says where to
/// preprocess, which is another flag's to say.
[[nodiscard]] std::optional<PreprocessingRecipe> stated_recipe(const std::string& preprocess);

[[nodiscard]] int thread_count(const std::string& text);

/// Throws bad_input where a flag has no such value.
[[nodiscard]] GpuOptions gpu_options(const GpuFlags& flags);
/// As the flags say, with another batch.
[[nodiscard]] ContextOptions context_options(const ModelOptions& options, std::int64_t batch);
/// Of programs that take --preprocess-on, too: `images` are how the dataset's lie.
[[nodiscard]] ContextOptions context_options(const ModelOptions& options, std::int64_t batch,
                                             PixelLayout images);

/// Throws bad_input, too, where flags are for a GPU and the model's backend has none.
[[nodiscard]] std::shared_ptr<const Engine> open_engine(const ModelOptions& options);
/// Warns where --preprocess states a layout or a size that gave way to the model's.
void warn_of_overridden_keys(const std::string& preprocess, const PreprocessingRecipe& used);
/// Images of the tensor's size. Throws bad_input where the engine states no dataset or the recipe
/// does not fit its images.
[[nodiscard]] std::unique_ptr<Dataset> open_dataset(const Engine& engine,
                                                    const ModelOptions& options);
/// For programs that count right answers. Throws bad_input where the classes of the dataset cannot
/// be those of the model; warns where they are fewer.
void require_same_classes(const Engine& engine, const Dataset& dataset,
                          const ModelOptions& options);
/// The same, the first `images` of them decoded ahead as the flags say.
[[nodiscard]] std::unique_ptr<Dataset> decoded_ahead(std::unique_ptr<Dataset> dataset,
                                                     const ModelOptions& options,
                                                     std::int64_t images);
/// How decoded_ahead decodes; empty where there is nothing to decode.
[[nodiscard]] std::string decoding(const Dataset& dataset, const ModelOptions& options);
/// Throws bad_input where the engine states no recipe.
[[nodiscard]] Preprocessing preprocessing_of(const Engine& engine);

/// --batch of one inference: as built where the flag was not given.
[[nodiscard]] std::int64_t batch_of(const Engine& engine, const std::string& text);
/// Scores of one image.
[[nodiscard]] int class_count(const Engine& engine);

}  // namespace hedge::cli
