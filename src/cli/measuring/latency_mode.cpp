// SPDX-License-Identifier: Apache-2.0
// The closed loop of `measurements`: warm-up, repetitions of loop and single inferences, verdict.
#include "cli/measuring/latency_mode.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "cli/measuring/measurement_text.h"
#include "cli/measuring/measuring_options.h"
#include "cli/measuring/watched_conditions.h"
#include "cli/model/model_result.h"
#include "hedge/error.h"
#include "measure/latency.h"
#include "measure/latency_result.h"
#include "measure/time_split.h"
#include "measure/usage.h"
#include "measure/validity.h"
#include "result/result_json.h"
#include "stats/intervals.h"
#include "stats/series.h"
#include "stats/summary.h"

namespace hedge::cli {
namespace {

/// Samples that are allocated beforehand at most; more are kept, but the store then grows.
constexpr double kMostExpected = 50e6;

struct Measured {
  LoopRun loop;
  std::vector<std::int64_t> samples_ns;
  std::vector<std::int64_t> repetition_of;  ///< Of each sample; empty with one repetition.
  std::vector<double> means_ns;             ///< Of each whole repetition: the loop's, else each's.
  ProcessUsage usage;
  std::int64_t inferences = 0;
};

double mean_of(std::span<const std::int64_t> ns) {
  double sum = 0;
  for (const std::int64_t sample : ns) sum += static_cast<double>(sample);
  return sum / static_cast<double>(ns.size());
}

class ClosedLoop {
 public:
  ClosedLoop(const Program& program, ExecutionContext& context, const MeasuringPlan& plan,
             double expected_ns)
      : context_(context),
        plan_(plan),
        expected_ns_(expected_ns),
        by_time_(plan.bound.duration_ns > 0),
        progress_(program, by_time_ ? "measuring, ms" : "measuring", total()),
        recorder_(plan.timing == Timing::kLoop ? 0 : expected_samples()) {}

  Measured run() {
    for (std::int64_t i = 0; i < plan_.repetitions && !cancellation_requested(); ++i) repeat(i);
    return std::move(measured_);
  }

 private:
  /// Of the progress bar, in iterations or milliseconds.
  [[nodiscard]] std::int64_t total() const {
    return plan_.repetitions * parts() *
           (by_time_ ? plan_.bound.duration_ns / 1'000'000 : plan_.bound.iterations);
  }
  [[nodiscard]] std::size_t expected_samples() const {
    const double by_time =
        1.25 * static_cast<double>(plan_.bound.duration_ns) / std::max(expected_ns_, 1.0);
    const double most =
        std::max(static_cast<double>(plan_.bound.iterations), std::min(by_time, kMostExpected));
    return static_cast<std::size_t>(most);
  }

  void repeat(std::int64_t repetition) {
    const auto infer = [&] { context_.infer(); };
    const auto show = [&](std::int64_t iterations, std::int64_t elapsed_ns) {
      progress_.update(before_ + (by_time_ ? elapsed_ns / 1'000'000 : iterations));
    };
    const auto part_done = [&] { before_ += total() / plan_.repetitions / parts(); };
    recorder_.clear();
    const ProcessUsage begin = process_usage();
    std::optional<double> mean_ns;
    if (plan_.timing != Timing::kEach) {
      const LoopRun loop = measure_stretches(infer, plan_.bound, expected_ns_, SteadyClock{}, show);
      append(loop);
      if (loop.total.iterations > 0) mean_ns = loop.total.ns_per_iteration();
      part_done();
    }
    if (plan_.timing != Timing::kLoop && !cancellation_requested()) {
      record_calls(infer, plan_.bound, recorder_, SteadyClock{}, show);
      part_done();
    }
    measured_.usage += process_usage() - begin;
    const auto samples = recorder_.samples_ns();
    if (!samples.empty()) {
      measured_.inferences += static_cast<std::int64_t>(samples.size());
      if (!mean_ns) mean_ns = mean_of(samples);
      keep_samples(repetition);
    }
    if (mean_ns && !cancellation_requested()) measured_.means_ns.push_back(*mean_ns);
  }

  [[nodiscard]] std::int64_t parts() const { return plan_.timing == Timing::kBoth ? 2 : 1; }

  void append(const LoopRun& loop) {
    LoopRun& all = measured_.loop;
    all.total.iterations += loop.total.iterations;
    all.total.total_ns += loop.total.total_ns;
    all.stretches.insert(all.stretches.end(), loop.stretches.begin(), loop.stretches.end());
    all.timers += loop.timers;
    measured_.inferences += loop.total.iterations;
  }
  void keep_samples(std::int64_t repetition) {
    if (plan_.repetitions == 1) {
      measured_.samples_ns = recorder_.take();
      return;
    }
    const auto samples = recorder_.samples_ns();
    measured_.samples_ns.insert(measured_.samples_ns.end(), samples.begin(), samples.end());
    measured_.repetition_of.resize(measured_.samples_ns.size(), repetition);
  }

  ExecutionContext& context_;
  const MeasuringPlan& plan_;
  double expected_ns_;
  bool by_time_;
  ProgressBar progress_;
  LatencyRecorder<> recorder_;
  std::int64_t before_ = 0;  ///< Progress of the parts that are done.
  Measured measured_;
};

/// `repetitions` that are whole.
std::string statistic_name(const MeasuringPlan& plan, std::size_t repetitions) {
  if (plan.percentile) return percentile_name(*plan.percentile);
  return repetitions > 1 ? fmt::format("median of {} means", repetitions) : "mean";
}

/// What stands for the run, and what its percentile needs.
HeadlineResult headline_of(const MeasuringPlan& plan, const Measured& measured,
                           RunEvidence& evidence) {
  HeadlineResult headline;
  headline.statistic = statistic_name(plan, measured.means_ns.size());
  if (plan.percentile && evidence.summary) {
    std::vector<std::int64_t> sorted = measured.samples_ns;
    std::sort(sorted.begin(), sorted.end());
    const double quantile = *plan.percentile / 100;
    const std::int64_t value = percentile(sorted, *plan.percentile);
    const std::size_t independent = independent_samples<std::int64_t>(measured.samples_ns, value);
    headline.us = static_cast<double>(value) / 1000;
    evidence.goal = {.percent = *plan.percentile,
                     .needed = fewest_samples_for_upper(quantile),
                     .independent = independent};
    if (const auto rank = stretched_upper_rank(sorted.size(), independent, quantile)) {
      headline.upper99_us = static_cast<double>(sorted[*rank - 1]) / 1000;
    }
  } else if (measured.means_ns.size() > 1) {
    std::vector<double> means = measured.means_ns;
    std::sort(means.begin(), means.end());
    headline.us = (means[(means.size() - 1) / 2] + means[means.size() / 2]) / 2000;
  } else {
    headline.us = (evidence.loop ? evidence.loop->mean_ns : evidence.summary->mean_ns) / 1000;
  }
  return headline;
}

/// Fills in what was measured and its verdict.
void set_measured(const MeasuringPlan& plan, const Measured& measured, RunEvidence evidence,
                  const TimerOverhead& overhead, Result& result) {
  evidence.longer = longer_advice(plan.bound);
  set_latency(evidence, measured.loop, overhead, result);
  result.headline = headline_of(plan, measured, evidence);
  if (plan.repetitions > 1) {
    for (const double ns : measured.means_ns) result.repetitions_us.push_back(ns / 1000);
  }
  result.usage = usage_result(measured.usage, measured.inferences);
  result.validity = judge(evidence);
}

/// Of a context that can tell, by inferences behind those that were timed. Returns the advice for a
/// net that is bound by its launches, which is among the result's warnings, too.
std::vector<std::string> set_split(ExecutionContext& context, Result& result) {
  auto* splitter = dynamic_cast<TimeSplitter*>(&context);
  if (splitter == nullptr) return {};
  const SplitRun run = run_split(*splitter);
  if (run.splits.empty()) return {};  // Cancelled.
  result.split_us = split_result(run);
  result.config.flags["split_inferences"] = run.splits.size();
  std::vector<std::string> advice = launch_bound_advice(*result.split_us, run.at_once);
  result.warnings.insert(result.warnings.end(), advice.begin(), advice.end());
  return advice;
}

void describe_plan(const MeasuringPlan& plan, RunConfig& config) {
  if (!plan.preset.empty()) config.flags["preset"] = plan.preset;
  config.repetitions = plan.repetitions;
  config.flags["timing"] = to_string(plan.timing);
  config.flags["least_iterations"] = plan.bound.iterations;
  if (plan.bound.duration_ns > 0) {
    config.flags["least_seconds"] = static_cast<double>(plan.bound.duration_ns) * 1e-9;
  }
  config.flags["warmup"] = describe(plan.warm_up);
}

void print(const Program& program, const ModelOptions& options, const MeasuringPlan& plan,
           const Result& result, const TimerOverhead& overhead,
           const std::vector<std::string>& advice) {
  program.print_text(model_line(result));
  program.print_text(plan_line(plan));
  program.print_text(warm_up_line(result));
  const LatencyResult& latency = *result.latency_us;
  if (latency.scope == kScopeLoop) {
    program.print_text(loop_latency_line(latency, "inference"));
    if (result.per_iteration_us) {
      program.print_text(short_latency_line("each timed", *result.per_iteration_us));
      program.print_text(evidence_lines(*result.per_iteration_us));
    }
  } else {
    program.print_text(latency_lines(latency));
    program.print_text(evidence_lines(latency));
  }
  program.print_text(repetitions_line(result));
  if (plan.percentile || plan.repetitions > 1) program.print_text(headline_line(result));
  program.print_text(regimes_lines(result));
  program.print_text(usage_line(result));
  program.print("timed      {}{}\n", timed_call(options),
                latency.scope == kScopeLoop    ? kLoopTimed
                : preprocesses_on_gpu(options) ? ""
                                               : " alone");
  program.print_text(gpu_split_lines(result, advice));
  program.print_text(timer_line(overhead));
  program.print_text(memory_line(*result.memory));
  program.print_text(machine_notes(result.machine));
  program.print_text(verdict_lines(*result.validity));
}

}  // namespace

int measure_latency(const Program& program, const MeasuredModel& model, const MeasuringPlan& plan,
                    const MeasuringOptions& options) {
  const TimerOverhead overhead = timer_overhead();
  program.show_notes();
  WatchedConditions conditions;
  const WarmUp warm_up = warm_up_calls([&] { model.context.infer(); }, plan.warm_up);
  const Measured measured = ClosedLoop(program, model.context, plan, warm_up.expected_ns()).run();
  if (measured.inferences == 0) throw runtime_failure("cancelled before the first inference");

  Result result =
      describe_run("measurements", model.engine, model.context, model.options, model.batch);
  describe_plan(plan, result.config);
  result.config.iterations = measured.loop.total.iterations > 0
                                 ? measured.loop.total.iterations
                                 : static_cast<std::int64_t>(measured.samples_ns.size());
  result.config.warmup_iterations = warm_up.runs;
  set_warm_up(warm_up, result);
  set_measured(
      plan, measured,
      evidence_of(measured.samples_ns, measured.loop, warm_up, overhead, conditions.finish(result)),
      overhead, result);
  set_scope(model.options, result);
  const std::vector<std::string> advice = set_split(model.context, result);
  result.memory = memory_result(model.context);
  write_evidence(options, measured.samples_ns, measured.repetition_of, result,
                 *(result.per_iteration_us ? result.per_iteration_us : result.latency_us));
  print(program, model.options, plan, result, overhead, advice);
  program.write_json_text(result_to_text(result));
  return cancellation_requested() ? kExitCancelled : status_of(*result.validity, options.strict);
}

}  // namespace hedge::cli
