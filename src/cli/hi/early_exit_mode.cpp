// SPDX-License-Identifier: Apache-2.0
// Early exit on a dataset: what it answers, what it saves.
#include "cli/hi/early_exit_mode.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/naming.h"
#include "cli/hi/hi_options.h"
#include "cli/measuring/measurement_text.h"
#include "cli/measuring/watched_conditions.h"
#include "cli/model/model_result.h"
#include "cli/program/flags.h"
#include "data/label_file.h"
#include "data/scores_file.h"
#include "hedge/error.h"
#include "hi/decide/early_exit.h"
#include "hi/simulate/recorded_classifier.h"
#include "measure/accuracy.h"
#include "measure/latency_result.h"
#include "measure/regimes.h"
#include "measure/validity.h"
#include "result/result_json.h"
#include "stats/arg_max.h"
#include "stats/ratio.h"
#include "stats/series.h"

namespace hedge::cli {
namespace {

/// Images of a turn: enough that the caches are those of the one that runs, and few enough that a
/// drift of the clock meets both alike.
constexpr std::int64_t kTurn = 50;

/// What was seen, image by image.
struct Observed {
  explicit Observed(std::int64_t images)
      : early(static_cast<std::size_t>(images)), whole(static_cast<std::size_t>(images)) {
    sources.reserve(static_cast<std::size_t>(images));
  }
  LatencyRecorder<> early;  ///< Stem, decision and what follows, of every image.
  LatencyRecorder<> whole;  ///< The whole net, of every image.
  std::vector<AnswerSource> sources;
  // Of the images of the first round.
  std::vector<int> labels;
  std::vector<int> answers;
  std::vector<float> exit_scores;
  std::vector<float> net_scores;
};

/// Throws bad_input naming the flag; warns of a file that was fitted on another model.
Decision exit_decision(const std::string& flag, const std::string& text, const Engine& engine) {
  const DecisionFile file = parse_exit_decision(flag, text, class_count(engine));
  warn_of_other_model(file, text, engine.info().model);
  return file.decision;
}

/// Throws bad_input naming the flag.
EarlyExitPolicy policy_of(const EarlyExitOptions& options, const Engine& engine) {
  const bool offloads = options.offload_at_exit || !options.net_decision.empty();
  if (options.offload_at_exit && !options.net_decision.empty()) {
    throw bad_input("--net-decision: is never asked with --offload-at-exit; give one of them");
  }
  if (offloads && options.server_labels.empty()) {
    throw bad_input("the server's answers are missing; give --server-labels=FILE");
  }
  if (!offloads && !options.server_labels.empty()) {
    throw bad_input(
        "--server-labels: nothing is offloaded without --offload-at-exit or --net-decision");
  }
  EarlyExitPolicy policy{.exit = exit_decision("--exit-decision", options.decision, engine),
                         .offload_at_exit = options.offload_at_exit};
  if (!options.net_decision.empty()) {
    policy.net = exit_decision("--net-decision", options.net_decision, engine);
  }
  return policy;
}

std::vector<int> server_answers(const EarlyExitJob& job, int classes) {
  const std::string& file = job.options.server_labels;
  if (file.empty()) return {};
  return read_server_labels(file, job.dataset, job.engine.info().dataset, classes);
}

class Run {
 public:
  Run(const Program& program, const EarlyExitJob& job)
      : program_(program),
        job_(job),
        prepare_(preprocessing_of(job.engine)),
        classes_(class_count(job.engine)),
        policy_(policy_of(job.options, job.engine)),
        server_(server_answers(job, classes_)),
        context_(job.engine.create_context(context_options(job.model, 1))),
        early_(naming(job.model.model, [&] { return EarlyExit(job.engine, *context_, policy_); })),
        observed_(job.iterations) {}

  Result measure() {
    const TimerOverhead overhead = timer_overhead();
    prepare_(job_.dataset.image(0), context_->input());
    program_.show_notes();
    WatchedConditions conditions;
    const WarmUp warm_up =
        warm_up_calls([&] { context_->infer(); }, parse_warm_up(job_.measuring.warm_up));
    run_images();
    Result result = describe_run("inference", job_.engine, *context_, job_.model, 1);
    const auto samples = observed_.whole.samples_ns();
    result.config.iterations = static_cast<std::int64_t>(samples.size());
    result.config.warmup_iterations = warm_up.runs;
    result.config.flags["exit_decision"] = job_.options.decision;
    set_warm_up(warm_up, result);
    set_answers(result);
    std::vector<std::string> serious = conditions.finish(result);
    if (!samples.empty()) {
      set_latencies(overhead, result);
      judge_run(warm_up, overhead, std::move(serious), result);
      write_evidence(job_.measuring, observed_.early.samples_ns(), {}, result, *result.latency_us);
    }
    result.memory = memory_result(*context_);
    return result;
  }

  void print(const Result& result) const;
  void write_files() const;

 private:
  /// Turns of kTurn images, first by the decision, then by the whole net.
  void run_images() {
    ProgressBar progress(program_, "measuring", job_.iterations);
    for (std::int64_t first = 0; first < job_.iterations; first += kTurn) {
      const std::int64_t end = std::min(first + kTurn, job_.iterations);
      for (std::int64_t i = first; i < end; ++i) {
        if (cancellation_requested()) break;
        run_early(i);
      }
      const auto done = static_cast<std::int64_t>(observed_.sources.size());
      for (std::int64_t i = first; i < done; ++i) run_whole(i);
      if (cancellation_requested()) break;
      progress.update(done);
    }
  }

  [[nodiscard]] std::size_t index_of(std::int64_t image) const {
    return static_cast<std::size_t>(image) % job_.dataset.size();
  }
  [[nodiscard]] bool is_counted(std::int64_t image) const {
    return image < static_cast<std::int64_t>(job_.dataset.size());
  }

  [[nodiscard]] int answer(std::int64_t image, AnswerSource source) const {
    if (source == AnswerSource::kServer) return server_.at(index_of(image));
    return arg_max(source == AnswerSource::kExit ? early_.exit_scores() : early_.net_scores());
  }

  void run_early(std::int64_t image) {
    prepare_(job_.dataset.image(index_of(image)), early_.input());
    AnswerSource source{};
    observed_.early.time([&] { source = early_.run(static_cast<std::uint64_t>(image)); });
    observed_.sources.push_back(source);
    if (is_counted(image)) observed_.answers.push_back(answer(image, source));
  }

  void run_whole(std::int64_t image) {
    prepare_(job_.dataset.image(index_of(image)), context_->input());
    observed_.whole.time([&] { context_->infer(); });
    if (!is_counted(image)) return;
    const auto keep = [](std::vector<float>& all, std::span<const float> scores) {
      all.insert(all.end(), scores.begin(), scores.end());
    };
    observed_.labels.push_back(job_.dataset.label(index_of(image)));
    keep(observed_.exit_scores, early_.exit_scores());
    keep(observed_.net_scores, early_.net_scores());
  }

  void set_answers(Result& result) const;
  void set_latencies(const TimerOverhead& overhead, Result& result) const;
  void judge_run(const WarmUp& warm_up, const TimerOverhead& overhead,
                 std::vector<std::string> serious, Result& result) const;

  const Program& program_;
  const EarlyExitJob& job_;
  Preprocessing prepare_;
  int classes_;
  EarlyExitPolicy policy_;
  std::vector<int> server_;  ///< Its class of each image; empty where nothing is offloaded.
  std::unique_ptr<ExecutionContext> context_;
  EarlyExit early_;
  Observed observed_;
};

AccuracyResult accuracy_of(std::int64_t correct, std::int64_t total) {
  AccuracyResult result;
  result.correct = correct;
  result.total = total;
  if (total == 0) return result;
  const Interval ci = wilson_interval(correct, total);
  result.top1 = static_cast<double>(correct) / static_cast<double>(total);
  result.top1_ci95 = Range{ci.lower, ci.upper};
  return result;
}

void Run::set_answers(Result& result) const {
  const auto classes = static_cast<std::size_t>(classes_);
  const std::size_t images = observed_.labels.size();
  EarlyExitResult early{
      .decision = std::string(name_of(policy_.exit.rule)),
      .threshold = policy_.exit.threshold,
      .stem_fraction = static_cast<double>(job_.engine.info().exit->multiply_accumulates) /
                       static_cast<double>(job_.engine.info().multiply_accumulates)};
  std::int64_t exits = 0;
  std::int64_t exits_right = 0;
  std::int64_t right = 0;
  std::int64_t exit_right = 0;
  std::int64_t net_right = 0;
  std::int64_t lost = 0;
  std::int64_t won = 0;
  std::int64_t offloads = 0;
  std::int64_t server_right = 0;
  for (std::size_t i = 0; i < images; ++i) {
    const auto is_right = [&](int answer) {
      return answer != kNoClass && answer == observed_.labels[i];
    };
    const auto class_of = [&](const std::vector<float>& scores) {
      return arg_max(std::span(scores).subspan(i * classes, classes));
    };
    const bool by_exit = is_right(class_of(observed_.exit_scores));
    const bool by_net = is_right(class_of(observed_.net_scores));
    const bool answer = is_right(observed_.answers[i]);
    const bool exited = observed_.sources[i] == AnswerSource::kExit;
    exits += exited ? 1 : 0;
    exits_right += exited && answer ? 1 : 0;
    offloads += observed_.sources[i] == AnswerSource::kServer ? 1 : 0;
    server_right += !server_.empty() && is_right(server_[i]) ? 1 : 0;
    right += answer ? 1 : 0;
    exit_right += by_exit ? 1 : 0;
    net_right += by_net ? 1 : 0;
    lost += by_net && !answer ? 1 : 0;
    won += answer && !by_net ? 1 : 0;
  }
  const auto total = static_cast<std::int64_t>(images);
  early.exits = exits;
  if (total > 0) early.exit_fraction = static_cast<double>(exits) / static_cast<double>(total);
  early.accuracy_exited = accuracy_of(exits_right, exits);
  early.accuracy_exit = accuracy_of(exit_right, total);
  early.accuracy_net = accuracy_of(net_right, total);
  if (!server_.empty()) {
    early.offloads = offloads;
    early.accuracy_server = accuracy_of(server_right, total);
  }
  early.lost = lost;
  early.won = won;
  result.accuracy = accuracy_of(right, total);
  result.early_exit = std::move(early);
}

void Run::set_latencies(const TimerOverhead& overhead, Result& result) const {
  const auto all = observed_.early.samples_ns();
  const auto whole = observed_.whole.samples_ns();
  std::vector<std::int64_t> exited;
  std::vector<std::int64_t> continued;
  std::vector<std::int64_t> offloaded;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const AnswerSource source = observed_.sources[i];
    const bool stopped = source == AnswerSource::kServer && policy_.offload_at_exit;
    (source == AnswerSource::kExit ? exited : stopped ? offloaded : continued).push_back(all[i]);
  }
  const auto told = [&](std::span<const std::int64_t> samples,
                        const char* scope) -> std::optional<LatencyResult> {
    if (samples.empty()) return std::nullopt;
    return latency_result(summarize(samples), scope, overhead);
  };
  EarlyExitResult& early = *result.early_exit;
  result.latency_us = told(all, kScopeEarlyExit);
  result.throughput_per_s = 1e6 / *result.latency_us->mean;
  early.exited_us = told(exited, kScopeEarlyExit);
  early.continued_us = told(continued, kScopeEarlyExit);
  early.offloaded_us = told(offloaded, kScopeEarlyExit);
  early.whole_us = told(whole, kScopeInfer);
  const auto mean = [](std::span<const std::int64_t> samples) {
    const SeriesMean series = mean_of_series(samples);
    return MeanEstimate{series.mean, series.standard_error, series.batches};
  };
  const RatioEstimate ratio = ratio_of_means(mean(all), mean(whole));
  early.saved = 1 - ratio.ratio;
  if (ratio.interval)
    early.saved_ci98 = Range{1 - ratio.interval->upper, 1 - ratio.interval->lower};
}

/// The whole net's samples say whether the machine held still; those by the decision have two
/// levels by nature.
void Run::judge_run(const WarmUp& warm_up, const TimerOverhead& overhead,
                    std::vector<std::string> serious, Result& result) const {
  const auto samples = observed_.whole.samples_ns();
  RunEvidence evidence;
  evidence.summary = summarize(samples);
  evidence.regimes = find_regimes(samples, overhead.resolution_ns);
  evidence.warm_up = warm_up;
  evidence.timer = overhead;
  evidence.cut_short = cancellation_requested();
  evidence.serious_conditions = std::move(serious);
  result.validity = judge(evidence);
}

std::string percent(const AccuracyResult& accuracy) {
  return accuracy.top1 ? fmt::format("{:.2f} %", *accuracy.top1 * 100) : "none";
}

void Run::print(const Result& result) const {
  const EarlyExitResult& early = *result.early_exit;
  const std::int64_t total = *result.accuracy->total;
  program_.print_text(model_line(result));
  program_.print_text(exit_line(job_.engine.info()));
  program_.print("exits      {} of {} images ({:.2f} %) by {}, {} of them right\n", *early.exits,
                 total, 100 * early.exit_fraction.value_or(0), job_.options.decision,
                 percent(*early.accuracy_exited));
  program_.print_text(accuracy_line(*result.accuracy));
  program_.print(
      "           the exit alone {}, the whole net {}: exits lost {} right answers and "
      "won {}\n",
      percent(*early.accuracy_exit), percent(*early.accuracy_net), *early.lost, *early.won);
  if (early.offloads) {
    program_.print("offloaded  {} of {} images ({:.2f} %); the server alone {}\n", *early.offloads,
                   total, 100.0 * static_cast<double>(*early.offloads) / static_cast<double>(total),
                   percent(*early.accuracy_server));
  }
  if (result.latency_us) {
    program_.print_text(warm_up_line(result));
    program_.print_text(short_latency_line("latency", *result.latency_us));
    if (early.exited_us) program_.print_text(short_latency_line("exited", *early.exited_us));
    if (early.continued_us) {
      program_.print_text(short_latency_line("continued", *early.continued_us));
    }
    if (early.offloaded_us) {
      program_.print_text(short_latency_line("offloaded", *early.offloaded_us));
    }
    program_.print_text(short_latency_line("whole net", *early.whole_us));
    program_.print("saved      {:.1f} % of the whole net's mean latency{}\n", 100 * *early.saved,
                   early.saved_ci98
                       ? fmt::format(" (98 %: {:.1f} to {:.1f})", 100 * (*early.saved_ci98)[0],
                                     100 * (*early.saved_ci98)[1])
                       : "");
    program_.print(
        "timed      stem, decision and what follows, an image each, in turns with the "
        "whole net (infer());\n           preprocessing and servers are outside\n");
  }
  program_.print_text(memory_line(*result.memory));
  program_.print_text(machine_notes(result.machine));
  if (result.validity) program_.print_text(verdict_lines(*result.validity));
}

void Run::write_files() const {
  const auto classes = static_cast<std::size_t>(classes_);
  if (!job_.predictions.empty()) write_labels(job_.predictions, observed_.answers);
  if (!job_.scores.empty()) write_scores(job_.scores, observed_.net_scores, classes);
  if (!job_.options.exit_scores.empty()) {
    write_scores(job_.options.exit_scores, observed_.exit_scores, classes);
  }
}

}  // namespace

void add_early_exit_options(CLI::App& app, EarlyExitOptions& options) {
  app.add_option("--exit-decision", options.decision,
                 "When an engine with an early exit leaves there: top1:T, margin:T, entropy:T, "
                 "energy:T, or a decision file")
      ->type_name("RULE:T|FILE");
  app.add_option("--exit-scores", options.exit_scores,
                 "Write the exit's scores of each image, as .npy or .csv")
      ->type_name("FILE");
  app.add_flag("--offload-at-exit", options.offload_at_exit,
               "Images that the exit doubts go to the server, and the tail never runs");
  app.add_option("--net-decision", options.net_decision,
                 "When the whole net's answer is kept, of images that went on; others go to the "
                 "server")
      ->type_name("RULE:T|FILE");
  app.add_option("--server-labels", options.server_labels,
                 "The server's class of each image, one a line")
      ->type_name("FILE");
}

void require_exit_decision(const EarlyExitOptions& options) {
  if (!options.decision.empty()) return;
  if (options.offload_at_exit || !options.net_decision.empty() || !options.server_labels.empty()) {
    throw bad_input(
        "--offload-at-exit, --net-decision and --server-labels: go with --exit-decision");
  }
}

int measure_early_exit(const Program& program, const EarlyExitJob& job) {
  Run run(program, job);
  const Result result = run.measure();
  if (*result.accuracy->total == 0) return kExitCancelled;
  run.print(result);
  run.write_files();
  program.write_json_text(result_to_text(result));
  if (cancellation_requested()) return kExitCancelled;
  return status_of(*result.validity, job.measuring.strict);
}

}  // namespace hedge::cli
