// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "cli/model/model_options.h"
#include "engine/classifier.h"
#include "engine/engine_name.h"
#include "hi/decide/decision_file.h"
#include "hi/decide/score_features.h"

namespace CLI {
class App;
}

namespace hedge::cli {

/// The flags of programs that decide, as texts; empty: not given.
struct DecisionOptions {
  std::string file;
  std::string rule;
  std::string threshold;
  bool original_coefficients = false;
};
/// --decision-file, --decision, --threshold, --original-coefficients.
void add_decision_options(CLI::App& app, DecisionOptions& options);

/// What the engine's scores are.
[[nodiscard]] ScoreKind score_kind_of(const Engine& engine);

/// The engine's model, precision (which --precision overrides) and dataset: where it runs on the
/// user's own images, the one that it was made for.
[[nodiscard]] EngineName trained_name(const EngineInfo& info, const std::string& stated_precision);

/// Warns of a decision file, called `name`, that was fitted on another model.
void warn_of_other_model(const DecisionFile& file, const std::string& name,
                         const std::string& model);

/// The decision for an engine: of the file, by the rule, else the coefficients published for its
/// model, dataset and precision (which --precision overrides). Throws bad_input naming the flag:
/// flags that exclude each other, a rule without its threshold, one that cannot judge such scores,
/// a file for another number of classes. Warns of a file that was fitted on another model.
[[nodiscard]] DecisionFile choose_decision(const DecisionOptions& options, const Engine& engine,
                                           const std::string& stated_precision);

/// Whose answers the offloaded images get.
struct ServerOptions {
  std::string labels;
  std::string model;
  std::string preprocess;
};
/// --server-labels, --server-model, --server-preprocess.
void add_server_options(CLI::App& app, ServerOptions& options);

/// DATASET_predictions.txt in the data folder, where --server-labels was not given. Throws
/// bad_input with the `advice` where there is none.
[[nodiscard]] std::string find_server_labels(const std::string& dataset, const std::string& data,
                                             const std::string& advice);

/// The file of --server-labels, the engine of --server-model (on the images of the local one, with
/// its own preprocessing; refused where it was made for another dataset), else
/// DATASET_predictions.txt in the data folder. Throws bad_input as these are opened.
[[nodiscard]] std::unique_ptr<Classifier> open_server(const ServerOptions& options,
                                                      const ModelOptions& local,
                                                      const Engine& engine, const Dataset& dataset);

}  // namespace hedge::cli
