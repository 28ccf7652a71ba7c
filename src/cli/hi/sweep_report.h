// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/hi/sweep_options.h"
#include "cli/program/program.h"
#include "engine/engine_name.h"
#include "hi/sweep/operating_point.h"

namespace hedge::cli {

/// What is swept, read or recorded.
struct SweepData {
  std::size_t images = 0;
  int classes = 0;
  ScoreKind kind = ScoreKind::kSoftmax;
  bool kind_told = false;  ///< By a flag, not by the values.
  std::string source{};    ///< File of the scores, or the model.
  EngineName model{};      ///< Of a model that ran here; else empty.
  std::string logistic{};  ///< Where its coefficients come from; empty: from the flags.
  Outcomes outcomes{};
  std::vector<std::string> names{};  ///< Of the decisions, one for each ranking.
  std::vector<Ranking> rankings{};
  std::string left_out{};  ///< What was not swept, and why; empty: nothing.
  RunFacts run{};
  bool complete = true;  ///< False where Ctrl-C cut the recording short.
};

/// Whatever is wrong with the flags and the small files that they name, before anything is read or
/// run. Throws bad_input naming the flag.
[[nodiscard]] StatedTerms check_sweep_flags(const SweepOptions& options);

/// Reads --scores and its labels, or runs --model. Throws bad_input naming file or flag, of
/// decisions that do not suit the model before it is run.
[[nodiscard]] SweepData read_sweep_data(const Program& program, const SweepOptions& options,
                                        int folds);

/// All that a sweep found.
struct SweepReport {
  SweepData data;
  StatedCosts costs;
  Wishes wishes{};
  std::vector<OperatingPoint> points{};
  std::vector<double> areas{};  ///< Of each decision, 0 to 1.
  std::vector<std::size_t> share_front{};
  std::vector<std::size_t> seconds_front{};  ///< Empty where latency is not known.
  std::vector<std::size_t> joules_front{};
  std::optional<std::size_t> best{};  ///< Nothing: no point meets the bounds.
  std::size_t nearest = 0;            ///< Where none does.
  std::optional<HeldOut> held_out{};

  [[nodiscard]] const OperatingPoint& chosen() const { return points[best.value_or(nearest)]; }
  /// The points of one decision, by ascending offloads.
  [[nodiscard]] std::span<const OperatingPoint> points_of(int decision) const;
};

/// Name of what serves the images at a point: "margin", "all-local", "all-server".
[[nodiscard]] std::string name_of_point(const SweepReport& report, const OperatingPoint& point);
/// "margin < 0.31": what is offloaded.
[[nodiscard]] std::string offload_rule(const SweepReport& report, const OperatingPoint& point);
/// "82.10 % right, 12.3 % offloaded, 3.20 ms, 11.0 mJ".
[[nodiscard]] std::string point_text(const OperatingPoint& point);

// Lines for people, ending in a line end.
[[nodiscard]] std::string sweep_data_lines(const SweepReport& report);
[[nodiscard]] std::string cost_lines(const SweepReport& report);
[[nodiscard]] std::string share_table(const SweepReport& report);
[[nodiscard]] std::string area_lines(const SweepReport& report);
[[nodiscard]] std::string front_lines(const SweepReport& report);
[[nodiscard]] std::string best_lines(const SweepReport& report);

/// A header line, then each point: decision, threshold, offloads, share, correct, accuracy,
/// latency_us, energy_mj (empty: unknown), and whether it lies on the three fronts (1 or 0).
[[nodiscard]] std::string sweep_csv(const SweepReport& report);
/// Schema hedge.sweep/1 (docs/sweep.md).
[[nodiscard]] nlohmann::ordered_json sweep_json(const SweepReport& report);
/// Accuracy against offload share and, where they are known, latency and energy.
[[nodiscard]] std::string sweep_svg(const SweepReport& report);

}  // namespace hedge::cli
