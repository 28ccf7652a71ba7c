// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/model_options.h"
#include "cli/program.h"
#include "cli/scored_images.h"
#include "engine/engine_name.h"

namespace hedge::cli {

/// What a model gives for the images of its dataset, run here.
struct ModelScores {
  ScoredImages images;          ///< Without the server's classes.
  double mean_seconds = 0;      ///< Of infer().
  std::size_t input_bytes = 0;  ///< Of an image as 8-bit pixels.
  EngineName name{};            ///< Model, dataset and precision as the engine states them.
  bool complete = false;        ///< False where Ctrl-C cut it short.
};

/// Every image of the dataset once. Throws as open_engine and open_dataset.
[[nodiscard]] ModelScores record_scores(const Program& program, const ModelOptions& options);

}  // namespace hedge::cli
