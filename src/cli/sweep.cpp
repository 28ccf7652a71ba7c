// SPDX-License-Identifier: Apache-2.0
// All thresholds of all decisions of hierarchical inference: what each buys, and the best one.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <limits>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "cli/hi/sweep_options.h"
#include "cli/hi/sweep_report.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "hedge/error.h"
#include "hi/decide/decision_file.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hedge sweep --scores=resnet8.npy --labels=labels.txt --server-labels=predictions.txt\n"
    "  hedge sweep --model=resnet8_cifar_fp32.engine --server-labels=data/cifar_predictions.txt "
    "\\\n"
    "      --network=wifi --server-latency=4ms --max-latency=5ms --out=decision.json\n"
    "  hedge sweep --scores=... --labels=... --server-labels=... --local=resnet8.json \\\n"
    "      --server=resnet56.json --network=lte --upload=3072bytes --min-accuracy=82% "
    "--svg=sweep.svg\n"
    "\n"
    "Every image runs on the device; a decision says which of them a server is asked about. A "
    "sweep\n"
    "tries every threshold of every decision on recorded scores: accuracy against offload share "
    "and,\n"
    "with costs, against mean latency and energy. The best point under the bounds becomes a "
    "decision\n"
    "file for `simulation`. The most accurate threshold on some images is too good to be true on\n"
    "others, so the choice is cross-validated. Where no point meets the bounds the nearest one is\n"
    "named, no file is written, and the exit status is 1. docs/sweep.md has formulas and "
    "sources.\n";

SweepReport evaluate(const SweepOptions& options, SweepData data, StatedTerms terms, int folds,
                     std::uint64_t seed) {
  SweepReport report{.data = std::move(data), .costs = {}};
  if (report.data.run.result) terms = stated_terms(options, report.data.run);
  report.costs = std::move(terms.costs);
  report.wishes = terms.wishes;
  const Outcomes& outcomes = report.data.outcomes;
  report.points = operating_points(report.data.rankings, outcomes, report.costs.costs);
  for (const Ranking& ranking : report.data.rankings) {
    report.areas.push_back(area_under(sweep(ranking, outcomes), outcomes));
  }
  report.share_front = pareto_front(report.points, Axis::kShare);
  if (report.costs.costs.seconds) {
    report.seconds_front = pareto_front(report.points, Axis::kSeconds);
  }
  if (report.costs.costs.joules) report.joules_front = pareto_front(report.points, Axis::kJoules);
  report.best = best_point(report.points, report.wishes);
  if (!report.best) report.nearest = nearest_point(report.points, report.wishes);
  if (folds > 0) {
    report.held_out = cross_validate(report.data.rankings, outcomes, report.costs.costs,
                                     report.wishes, folds, seed);
  }
  return report;
}

void write_best(const SweepOptions& options, const SweepReport& report) {
  const OperatingPoint& best = report.chosen();
  DecisionFile file;
  file.classes = report.data.classes;
  file.model = report.data.model.model;
  if (best.decision >= 0) {
    file.decision = report.data.rankings[static_cast<std::size_t>(best.decision)].decision;
    file.decision.threshold = best.point.threshold;
  } else {
    file.decision.rule = best.decision == kAllLocal ? Rule::kNever : Rule::kAlways;
  }
  file.origin = fmt::format("hedge sweep of {}: {} of {} images", printable(report.data.source),
                            point_text(best), report.data.images);
  if (report.held_out) {
    file.origin += fmt::format("; held out {:.2f} % right",
                               100.0 * static_cast<double>(report.held_out->correct) /
                                   static_cast<double>(report.held_out->total));
  }
  write_decision(options.out, file);
}

/// `of_model`: the flags that are of no use with --scores.
int sweep_all(const Program& program, const SweepOptions& options,
              const std::vector<const CLI::Option*>& of_model) {
  program.check_files(
      {.written = {{"--out", options.out}, {"--csv", options.csv}, {"--svg", options.svg}}});
  if (options.model.model.empty()) refuse_given(of_model, kForRunningAModel);
  const auto folds = static_cast<int>(parse_count("--folds", options.folds, 0, 1000));
  if (folds == 1) throw bad_input("--folds=1: give 2 at least, or 0 for no cross-validation");
  const auto seed = static_cast<std::uint64_t>(
      parse_count("--seed", options.seed, 0, std::numeric_limits<std::int64_t>::max()));
  StatedTerms terms = check_sweep_flags(options);
  SweepData data = read_sweep_data(program, options, folds);
  // Ctrl-C may leave fewer images than folds.
  const bool divisible = static_cast<std::size_t>(folds) <= data.images;
  const SweepReport report =
      evaluate(options, std::move(data), std::move(terms), divisible ? folds : 0, seed);
  if (!report.data.complete) {
    program.print("cut short: what follows is of the {} images that were run\n",
                  report.data.images);
  }
  program.print_text(sweep_data_lines(report));
  program.print_text(cost_lines(report));
  program.print_text(share_table(report));
  program.print_text(area_lines(report));
  program.print_text(front_lines(report));
  program.print_text(best_lines(report));
  if (!options.csv.empty()) write_file(options.csv, sweep_csv(report));
  if (!options.svg.empty()) write_file(options.svg, sweep_svg(report));
  program.write_json(sweep_json(report));
  if (!report.best) {
    throw runtime_failure(
        fmt::format("no point meets the bounds; nearest is {}: {}{}",
                    offload_rule(report, report.chosen()), point_text(report.chosen()),
                    options.out.empty() ? "" : "; " + options.out + " was not written"));
  }
  if (!options.out.empty()) write_best(options, report);
  return report.data.complete ? kExitSuccess : kExitCancelled;
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("sweep", "All thresholds of all decisions of hierarchical inference", kExamples);
  SweepOptions options;
  const auto of_model = add_sweep_options(program.app(), options);
  program.add_json_flag("schema hedge.sweep/1");
  return program.run(argc, argv, [&] { return sweep_all(program, options, of_model); });
}
