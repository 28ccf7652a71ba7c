// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/model/model_options.h"
#include "cli/model/scored_images.h"
#include "hi/sweep/operating_point.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace hedge::cli {

/// The flags of `hedge sweep`, as given.
struct SweepOptions {
  ModelOptions model;  ///< Its `labels` are --labels.
  ScoredImagesOptions recorded;
  std::string iterations = "all";  ///< Of --model.

  std::string decisions;  ///< Empty: all that there are.
  std::vector<std::string> decision_files;
  std::string coefficients;

  std::string local;
  std::string local_latency;
  std::string local_energy;
  std::string idle_power;
  bool net = false;
  std::string decision_latency;
  std::string decision_energy;
  std::string network;
  std::string bandwidth;
  std::string uplink;
  std::string downlink;
  std::string round_trip;
  std::string send_power;
  std::string receive_power;
  std::string wait_power;
  std::string tail_energy;
  std::string upload;
  std::string answer;
  std::string server;
  std::string server_latency;
  std::string server_energy;

  std::string max_latency;
  std::string max_energy;
  std::string max_offload;
  std::string min_accuracy;
  std::string minimize;
  std::string folds = "5";
  std::string seed = "1";

  std::string out;
  std::string csv;
  std::string svg;
};

/// Returns the flags that are of no use with --scores.
[[nodiscard]] std::vector<const CLI::Option*> add_sweep_options(CLI::App& app,
                                                                SweepOptions& options);

/// A figure that costs were computed from, for people and the JSON.
struct CostFigure {
  std::string name;    ///< "network up"
  std::string value;   ///< "46.2 Mbit/s"
  std::string source;  ///< "--bandwidth", a file, a publication.
  bool assumed = false;
};

/// Costs as the flags state them.
struct StatedCosts {
  CostModel model;
  Costs costs;  ///< Empty where no flag states any.
  std::vector<CostFigure> figures{};
};

/// What a run of the model here says of costs, in place of flags.
struct RunFacts {
  std::optional<Result> result{};  ///< Absent: none ran here.
  std::size_t input_bytes = 0;     ///< 0: unknown.
  bool awaited = false;            ///< Both are to come, so they are not missing.
};

struct StatedTerms {
  StatedCosts costs;
  Wishes wishes;
};

/// Throws bad_input naming the flag: first of what is given and wrong (no quantity, no preset, a
/// result file that cannot be read), then of what is missing, last of a bound on a cost that is not
/// known. With a run that is awaited the costs say which there will be, not how large they are.
[[nodiscard]] StatedTerms stated_terms(const SweepOptions& options, const RunFacts& run);

}  // namespace hedge::cli
