// SPDX-License-Identifier: Apache-2.0
// What the decision of hierarchical inference costs: the logistic regression on random scores.
#include "hi/logistic_regression.h"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "cli/flags.h"
#include "cli/model_options.h"
#include "cli/program.h"
#include "hedge/error.h"
#include "measure/latency.h"
#include "measure/latency_result.h"
#include "result/machine.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  ./LogisticRegression 10 latency      the decision on the scores of CIFAR-10\n"
    "  ./LogisticRegression 1000 latency    and of ImageNet\n"
    "\n"
    "The decision p = sigmoid(beta + w1*top1 + w2*top2) >= 1/2 is taken on random softmax scores, "
    "under\n"
    "one timer around the whole loop. Finding the two largest scores is part of it, softmax is "
    "not.\n";

struct Options {
  std::string classes;
  std::string measurement = "latency";
  std::string iterations = "1000000";
  std::string seed = "1";
};

/// Rows of softmax scores. Several rows, so that no branch predictor learns the one answer.
constexpr std::size_t kRows = 64;

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

int measure(const Program& program, const Options& options) {
  const auto classes =
      static_cast<std::size_t>(parse_count("number of classes", options.classes, 2, 1'000'000));
  const std::int64_t iterations =
      parse_count("--iterations", options.iterations, 1, 1'000'000'000'000);
  const auto seed = static_cast<std::uint64_t>(
      parse_count("--seed", options.seed, 0, std::numeric_limits<std::int64_t>::max()));
  if (options.measurement == "energy") {
    throw bad_input("energy is not measured yet; 'latency' measures latency");
  }
  if (options.measurement != "latency") {
    throw bad_input(fmt::format("no measurement '{}'; there is latency", options.measurement));
  }
  const LogisticRegression decision;
  const std::vector<float> scores = random_scores(classes, seed);
  std::size_t at = 0;
  std::int64_t kept = 0;
  const auto decide = [&] {
    kept += decision.keep(std::span(scores).subspan(at, classes)) ? 1 : 0;
    at = at + classes < scores.size() ? at + classes : 0;
  };
  (void)measure_calls(decide, static_cast<std::int64_t>(kRows));  // Warm-up: each row once.
  kept = 0;
  const TimerOverhead overhead = timer_overhead();
  const LoopTiming loop = measure_calls(decide, iterations);
  if (loop.iterations == 0) throw runtime_failure("cancelled before the first decision");

  Result result = make_result("logistic_regression");
  result.machine = collect_machine_facts();
  result.config.iterations = loop.iterations;
  result.config.warmup_iterations = static_cast<std::int64_t>(kRows);
  result.config.flags["classes"] = classes;
  result.config.flags["seed"] = seed;
  result.latency_us = latency_result(loop, overhead);
  result.throughput_per_s = 1e9 / loop.ns_per_iteration();
  HiResult hi;
  hi.decision = "logistic regression";
  hi.parameters = {decision.beta, decision.w1, decision.w2};
  hi.offloads = loop.iterations - kept;
  hi.offload_fraction = static_cast<double>(*hi.offloads) / static_cast<double>(loop.iterations);
  result.hi = hi;
  program.print("latency    {:.2f} ns a decision on {} scores: {} decisions under one timer\n",
                loop.ns_per_iteration(), classes, loop.iterations);
  program.print(
      "timed      the two largest scores, the exponent's sign, the loop and a look at the flag of "
      "Ctrl-C\n");
  program.print("decided    {} kept, {} offloaded (random scores, {} rows)\n", kept, *hi.offloads,
                kRows);
  program.print_text(timer_line(overhead));
  program.print_text(machine_notes(result.machine));
  program.write_json_text(result_to_text(result));
  return cancellation_requested() ? kExitCancelled : kExitSuccess;
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
  app.add_option("measurement", options.measurement,
                 "latency (the default), or energy (comes later)");
  app.add_option("--iterations", options.iterations, "Decisions (default 1000000)")->type_name("N");
  app.add_option("--seed", options.seed, "Of the random scores (default 1)")->type_name("N");
  program.add_json_flag("schema hedge.result/1");
  return program.run(argc, argv, [&] { return measure(program, options); });
}
