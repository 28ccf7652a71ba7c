// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "builder/builder.h"
#include "hedge/dataset.h"
#include "hedge/engine.h"
#include "measure/timer.h"
#include "result/result.h"

namespace hedge::cli {

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
  bool stem = false;  ///< Of a net with an early exit, what runs is the part up to there.
};

void add_model_options(CLI::App& app, ModelOptions& options);
/// --decode-threads and --decode-overlap, for programs that go through a whole dataset.
void add_decode_options(CLI::App& app, ModelOptions& options);
/// --precision and the original's --fp16, --int8, --fp8, --best, --noTF32 beside it.
void add_precision_options(CLI::App& app, std::string& precision, bool& no_tf32);
/// EngineBuildOptions::allow_tf32. Throws bad_input where both are stated.
[[nodiscard]] bool allow_tf32(const std::string& precision, bool no_tf32);
/// --shape, and trtexec's --shapes, as parse_shapes reads it.
void add_shape_option(CLI::App& app, std::string& shape);
/// --preprocess, parsed; nothing where it was not given.
[[nodiscard]] std::optional<PreprocessingRecipe> stated_recipe(const std::string& preprocess);

[[nodiscard]] int thread_count(const std::string& text);

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

/// "fp32 (products in TF32)"
[[nodiscard]] std::string precision_text(const EngineInfo& info);

/// A result with everything set that is known before anything is measured: the context's warnings,
/// too.
[[nodiscard]] Result describe_run(const std::string& program, const Engine& engine,
                                  const ExecutionContext& context, const ModelOptions& options,
                                  std::int64_t batch);
[[nodiscard]] MemoryResult memory_result(const ExecutionContext& context);

// Lines for people, ending in a line end.
[[nodiscard]] std::string model_line(const Result& result);
/// Of an engine with an early exit: where it is, what it costs and what lies at the cut.
[[nodiscard]] std::string exit_line(const EngineInfo& info);
[[nodiscard]] std::string accuracy_line(const AccuracyResult& accuracy);
[[nodiscard]] std::string latency_lines(const LatencyResult& latency);
[[nodiscard]] std::string timer_line(const TimerOverhead& overhead);
[[nodiscard]] std::string memory_line(const MemoryResult& memory);
[[nodiscard]] std::string machine_notes(const MachineFacts& machine);

}  // namespace hedge::cli
