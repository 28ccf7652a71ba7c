// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/measuring/measuring_options.h"
#include "cli/model/model_options.h"
#include "cli/program/program.h"
#include "hedge/dataset.h"
#include "hedge/engine.h"

namespace CLI {
class App;
}

namespace hedge::cli {

/// The flags of `inference` that early exit has of its own.
struct EarlyExitOptions {
  std::string decision;     ///< RULE:THRESHOLD or a decision file; empty: the whole net runs.
  std::string exit_scores;  ///< File; empty: not wanted.
  std::string net_decision;
  std::string server_labels;
  bool offload_at_exit = false;
};
void add_early_exit_options(CLI::App& app, EarlyExitOptions& options);
/// Throws bad_input where only flags were given that go with --exit-decision.
void require_exit_decision(const EarlyExitOptions& options);

/// What is run, and the files that are wanted (empty: not).
struct EarlyExitJob {
  const Engine& engine;
  const Dataset& dataset;
  const ModelOptions& model;
  const MeasuringOptions& measuring;
  const EarlyExitOptions& options;
  std::int64_t iterations = 0;  ///< Images.
  std::string predictions{};    ///< Classes that images end with.
  std::string scores{};         ///< The whole net's.
};

/// `inference --exit-decision`: each image by the decision, and by the whole net, in turns of some
/// images; accuracy and latency of both, told apart by where images left. Prints, writes, returns
/// the exit status.
[[nodiscard]] int measure_early_exit(const Program& program, const EarlyExitJob& job);

}  // namespace hedge::cli
