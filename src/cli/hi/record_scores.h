// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "cli/model/model_options.h"
#include "cli/model/scored_images.h"
#include "cli/program/program.h"
#include "engine/engine_name.h"
#include "result/result.h"

namespace hedge::cli {

/// What a model gives for the images of its dataset, run here.
struct ModelScores {
  ScoredImages images;
  Result run;                   ///< Of the run: latency of infer(), conditions, verdict.
  std::size_t input_bytes = 0;  ///< Of an image as 8-bit pixels.
  EngineName name{};            ///< Model, dataset and precision as the engine states them.
  bool complete = false;        ///< False where Ctrl-C cut it short.
};

/// The first `iterations` images ("all": every one), each once and timed as `inference` times it,
/// after a warm-up until steady, with the server's classes of them:
/// of `server_labels`, else as find_server_labels, which is said. `before` is shown what is known
/// before the first image is run, all but scores, labels and run, and may throw. Throws as
/// open_engine, open_dataset, read_server_labels, and runtime_failure where Ctrl-C came before the
/// first image.
[[nodiscard]] ModelScores record_scores(const Program& program, const ModelOptions& options,
                                        const std::string& iterations,
                                        const std::string& server_labels,
                                        const std::function<void(const ModelScores&)>& before);

}  // namespace hedge::cli
