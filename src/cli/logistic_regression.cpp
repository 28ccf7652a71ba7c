// SPDX-License-Identifier: Apache-2.0
// What the decision of hierarchical inference costs: the logistic regression on random scores.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <random>
#include <utility>
#include <vector>

#include "cli/energy/energy_mode.h"
#include "cli/measuring/measurement_text.h"
#include "cli/measuring/measuring_options.h"
#include "cli/measuring/watched_conditions.h"
#include "cli/model/model_options.h"
#include "cli/model/model_result.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "hedge/error.h"
#include "hi/decide/fast_decision.h"
#include "hi/decide/published.h"
#include "hi/simulate/outcome.h"
#include "measure/latency.h"
#include "measure/latency_result.h"
#include "measure/steady.h"
#include "measure/usage.h"
#include "measure/validity.h"
#include "result/machine.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  ./LogisticRegression 10 latency      the decision on the scores of CIFAR-10\n"
    "  ./LogisticRegression 1000 latency    and of ImageNet\n"
    "  ./LogisticRegression 1000 energy     energy, until Ctrl-C\n"
    "  ./LogisticRegression 1000 energy 1000000000\n"
    "\n"
    "The decision p = sigmoid(beta + w1*top1 + w2*top2) >= 1/2 is taken on random softmax scores.\n"
    "Finding the two largest scores is part of it, softmax is not. Decisions warm up until their\n"
    "time is steady; then the loop runs in stretches, a timer around each, and its time is "
    "divided\n"
    "by the decisions. A loop that is over before anything can be said of it (20000 decisions on\n"
    "ten scores take 0.1 ms) is run again, whole, until 0.2 s are full. The verdict says whether\n"
    "the figure can be relied on (docs/measuring.md); --strict makes INVALID exit with status 3.\n";

struct Options {
  std::string classes;
  std::string measurement = "latency";
  std::string iterations = "20000";
  bool all = false;  ///< No number of iterations was given.
  std::string duration;
  EnergyOptions energy;
  std::string seed = "1";
  bool strict = false;
};

/// Rows of softmax scores. Several rows, so that no branch predictor learns the one answer.
constexpr std::size_t kRows = 64;
constexpr const char* kUnit = "decision";

std::vector<float> random_scores(std::size_t classes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> logit(0, 3);
  std::vector<float> scores(kRows * classes);
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto values = std::span(scores).subspan(row * classes, classes);
    float sum = 0;
    for (float& value : values) sum += value = std::exp(logit(random));
    for (float& value : values) value /= sum;
  }
  return scores;
}

/// As simulation takes it for resnet8 on CIFAR-10.
FastDecision original_decision() {
  const EngineName net{.model = "resnet8", .dataset = "cifar", .precision = "fp32", .branch = {}};
  return {published_decision(net).decision, ScoreKind::kSoftmax};
}

/// The decision on the rows in turn. What it decides is counted and told, so that no compiler can
/// leave it out.
class Decisions {
 public:
  Decisions(std::size_t classes, std::uint64_t seed)
      : classes_(classes), scores_(random_scores(classes, seed)) {}
  void decide() {
    kept_ += decision_.keep(std::span(scores_).subspan(at_, classes_)) ? 1 : 0;
    ++done_;
    at_ = at_ + classes_ < scores_.size() ? at_ + classes_ : 0;
  }
  /// Until steady, by rounds over all rows: a decision is too short to be timed alone.
  WarmUp warm_up() {
    constexpr auto kRound = static_cast<std::int64_t>(kRows);
    WarmUp warm_up = warm_up_calls(
        [&] {
          for (std::size_t row = 0; row < kRows; ++row) decide();
        },
        WarmUpRule::automatic());
    warm_up.runs *= kRound;
    warm_up.cold_ns.reset();
    if (warm_up.level_ns) *warm_up.level_ns /= static_cast<double>(kRound);
    kept_ = 0;
    done_ = 0;
    return warm_up;
  }
  [[nodiscard]] HiResult result() const {
    HiResult hi;
    describe_decision(decision_.decision(), hi);
    hi.offloads = done_ - kept_;
    hi.offload_fraction = static_cast<double>(*hi.offloads) / static_cast<double>(done_);
    return hi;
  }
  [[nodiscard]] std::string line() const {
    return fmt::format("decided    {} kept, {} offloaded (random scores, {} rows)\n", kept_,
                       done_ - kept_, kRows);
  }

 private:
  FastDecision decision_ = original_decision();
  std::size_t classes_;
  std::vector<float> scores_;
  std::size_t at_ = 0;
  std::int64_t kept_ = 0;
  std::int64_t done_ = 0;
};

/// Of the whole loop, so that there is something to be said of it.
std::int64_t repetitions_of(std::int64_t iterations, double expected_ns) {
  constexpr double kLeast_ns = 200e6;
  const double once_ns = static_cast<double>(iterations) * std::max(expected_ns, 1.0);
  return static_cast<std::int64_t>(std::max(std::ceil(kLeast_ns / once_ns), 1.0));
}

int measure_latency(const Program& program, const Options& options, Decisions& decisions,
                    std::int64_t iterations, Result result) {
  const TimerOverhead overhead = timer_overhead();
  program.show_notes();
  WatchedConditions conditions;
  const WarmUp warm_up = decisions.warm_up();
  const std::int64_t repetitions = repetitions_of(iterations, warm_up.expected_ns());
  const ProcessUsage begin = process_usage();
  const LoopRun loop = measure_stretches(
      [&] { decisions.decide(); }, {.iterations = iterations * repetitions}, warm_up.expected_ns());
  const ProcessUsage used = process_usage() - begin;
  if (loop.total.iterations == 0) throw runtime_failure("cancelled before the first decision");
  result.config.iterations = iterations;
  result.config.repetitions = repetitions;
  result.config.warmup_iterations = warm_up.runs;
  RunEvidence evidence = evidence_of({}, loop, warm_up, overhead, conditions.finish(result));
  evidence.warmer = warmer_advice(program);
  if (repetitions > 1) {  // that many decisions were made anyway
    evidence.longer = fmt::format("raise --iterations above {}", loop.total.iterations);
  }
  set_warm_up(warm_up, result);
  set_latency(evidence, loop, overhead, result);
  result.headline = {"mean", result.latency_us->mean, std::nullopt};
  result.usage = usage_result(used, loop.total.iterations);
  result.hi = decisions.result();
  result.validity = judge(evidence);
  program.print_text(warm_up_line(result, kUnit));
  program.print_text(loop_latency_line(*result.latency_us, kUnit));
  program.print("           on {} scores; the loop of {} decisions {} times over\n",
                options.classes, iterations, repetitions);
  program.print_text(decisions.line());
  program.print_text(regimes_lines(result));
  program.print_text(usage_line(result, kUnit));
  program.print("timed      the two largest scores, the exponent's sign{}\n", kLoopTimed);
  program.print_text(timer_line(overhead));
  program.print_text(machine_notes(result.machine));
  program.print_text(verdict_lines(*result.validity));
  program.write_json_text(result_to_text(result));
  return cancellation_requested() ? kExitCancelled : status_of(*result.validity, options.strict);
}

int measure_energy(const Program& program, const Options& options, Decisions& decisions,
                   std::int64_t iterations, Result result) {
  const std::int64_t duration_ns = parse_energy_duration(options.duration);
  const EnergyMode mode(program, energy_settings_of(options.energy),
                        {.unit = kUnit,
                         .iterations = options.all ? 0 : iterations,
                         .duration_ns = duration_ns,
                         .endless = options.all && duration_ns == 0,
                         .stride = static_cast<std::int64_t>(kRows),
                         .strict = options.strict});
  WatchedConditions conditions(std::chrono::seconds(2));
  WarmUp warm_up;
  MeteredRun run =
      mode.run([&] { decisions.decide(); }, [&] { return warm_up = decisions.warm_up(); });
  result.config.warmup_iterations = warm_up.runs;
  result.hi = decisions.result();
  mode.set_loop(run, warm_up, conditions.finish(result), result);
  program.print_text(decisions.line());
  return mode.report(std::move(run), std::move(result));
}

int measure(const Program& program, const Options& options) {
  const auto classes =
      static_cast<std::size_t>(parse_count("number of classes", options.classes, 2, 1'000'000));
  const std::int64_t iterations =
      parse_count("--iterations", options.iterations, 1, 1'000'000'000'000);
  const auto seed = static_cast<std::uint64_t>(
      parse_count("--seed", options.seed, 0, std::numeric_limits<std::int64_t>::max()));
  if (options.measurement != "latency" && options.measurement != "energy") {
    throw bad_input(
        fmt::format("no measurement '{}'; there are latency and energy", options.measurement));
  }
  Decisions decisions(classes, seed);
  Result result = make_result("logistic_regression");
  result.machine = collect_machine_facts();
  result.config.flags["classes"] = classes;
  result.config.flags["seed"] = seed;
  return options.measurement == "energy"
             ? measure_energy(program, options, decisions, iterations, std::move(result))
             : measure_latency(program, options, decisions, iterations, std::move(result));
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("logistic_regression", "Measure what the decision to keep or to offload costs",
                  kExamples);
  Options options;
  CLI::App& app = program.app();
  app.add_option("classes", options.classes, "Number of classes: scores of one decision")
      ->type_name("N")
      ->required();
  app.add_option("measurement", options.measurement, "latency (the default), or energy");
  app.add_option("iterations,--iterations", options.iterations,
                 "Decisions of the loop (default 20000); of energy as many as there are until "
                 "Ctrl-C")
      ->type_name("N");
  app.add_option("--seed", options.seed, "Of the random scores (default 1)")->type_name("N");
  app.add_option("--duration", options.duration, "Of energy: end after that time (30s, 5min)")
      ->type_name("TIME");
  add_energy_flags(app, options.energy);
  add_strict_flag(app, options.strict);
  program.add_json_flag("schema hedge.result/1");
  return program.run(argc, argv, [&] {
    options.all = app.count("iterations") == 0;
    if (options.measurement != "energy") {
      refuse_energy_flags(app, "say so behind the classes, as LogisticRegression 10 energy");
      if (!options.duration.empty()) {
        throw hedge::bad_input("--duration: is for energy; latency takes --iterations");
      }
    }
    return measure(program, options);
  });
}
