// SPDX-License-Identifier: Apache-2.0
// `measurements --streams`: contexts side by side, for what a device does in all.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/log.h"
#include "cli/measuring/latency_mode.h"
#include "cli/measuring/measurement_text.h"
#include "cli/measuring/measuring_options.h"
#include "cli/measuring/watched_conditions.h"
#include "cli/model/model_result.h"
#include "hedge/error.h"
#include "measure/latency_result.h"
#include "measure/streams.h"
#include "measure/usage.h"
#include "measure/validity.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

std::vector<ExecutionContext*> all_contexts(
    const MeasuredModel& model, std::span<const std::unique_ptr<ExecutionContext>> others) {
  std::vector<ExecutionContext*> all{&model.context};
  for (const auto& context : others) all.push_back(context.get());
  return all;
}

/// The iterations are those of all streams together.
StreamsPlan plan_of_each(const MeasuringPlan& plan, std::size_t streams) {
  const auto count = static_cast<std::int64_t>(streams);
  RunBound bound = plan.bound;
  bound.iterations = (bound.iterations + count - 1) / count;
  return {.warm_up = plan.warm_up, .bound = bound};
}

void warn_of_few_cpus(std::size_t streams, int threads) {
  const auto cpus = static_cast<std::size_t>(std::thread::hardware_concurrency());
  const std::size_t wanted = streams * static_cast<std::size_t>(threads);
  if (cpus == 0 || wanted <= cpus) return;
  log(LogLevel::kWarning,
      fmt::format("--streams={}: {} threads share {} logical CPUs", streams, wanted, cpus));
}

/// Runs and time of the longest, and steady only where all were.
WarmUp warm_up_of(std::span<const StreamRun> runs) {
  WarmUp all = runs.front().warm_up;
  for (const StreamRun& run : runs) {
    all.runs = std::max(all.runs, run.warm_up.runs);
    all.duration_ns = std::max(all.duration_ns, run.warm_up.duration_ns);
    if (all.settled && !run.warm_up.settled.value_or(true)) all.settled = false;
  }
  return all;
}

std::string streams_lines(const StreamsSummary& summary, const Result& result) {
  const auto [least, most] = std::minmax_element(summary.counts.begin(), summary.counts.end());
  return fmt::format(
      "streams    {} side by side, a host thread each, {:.2f} s; {} to {} inferences of each\n"
      "throughput {:.1f} images a second in all\n",
      summary.counts.size(), static_cast<double>(summary.window_ns) * 1e-9, *least, *most,
      *result.throughput_per_s);
}

void print(const Program& program, const MeasuredModel& model, const StreamsSummary& summary,
           const Result& result, const TimerOverhead& overhead) {
  program.print_text(model_line(result));
  program.print_text(warm_up_line(result));
  program.print_text(streams_lines(summary, result));
  program.print_text(latency_lines(*result.latency_us));
  program.print_text(evidence_lines(*result.latency_us));
  program.print_text(regimes_lines(result));
  program.print_text(usage_line(result));
  program.print("timed      {}, of each stream while all the others are busy\n",
                timed_call(model.options));
  program.print_text(timer_line(overhead));
  program.print_text(memory_line(*result.memory));
  program.print_text(machine_notes(result.machine));
  program.print_text(verdict_lines(*result.validity));
}

}  // namespace

int measure_streams(const Program& program, const MeasuredModel& model,
                    std::span<const std::unique_ptr<ExecutionContext>> others,
                    const MeasuringPlan& plan, const MeasuringOptions& options) {
  const std::vector<ExecutionContext*> contexts = all_contexts(model, others);
  warn_of_few_cpus(contexts.size(), thread_count(model.options.threads));
  const TimerOverhead overhead = timer_overhead();
  program.show_notes();
  WatchedConditions conditions;
  const ProcessUsage begin = process_usage();
  const std::vector<StreamRun> runs =
      run_streams<SteadyClock>(contexts, plan_of_each(plan, contexts.size()));
  const ProcessUsage used = process_usage() - begin;
  std::int64_t inferences = 0;
  for (const StreamRun& run : runs) {
    if (run.samples.empty()) throw runtime_failure("cancelled before the first inference");
    inferences += run.warm_up.runs + static_cast<std::int64_t>(run.samples.size());
  }
  const StreamsSummary summary = summarize(runs);
  const WarmUp warm_up = warm_up_of(runs);

  Result result =
      describe_run("measurements", model.engine, model.context, model.options, model.batch);
  result.config.streams = static_cast<std::int64_t>(contexts.size());
  result.config.iterations = static_cast<std::int64_t>(summary.samples_ns.size());
  result.config.warmup_iterations = warm_up.runs;
  result.config.flags["warmup"] = describe(plan.warm_up);
  result.config.flags["stream_inferences"] = summary.counts;
  set_warm_up(warm_up, result);
  RunEvidence evidence =
      evidence_of(summary.samples_ns, {}, warm_up, overhead, conditions.finish(result));
  evidence.longer = longer_advice(plan.bound);
  set_latency(evidence, {}, overhead, result);
  set_scope(model.options, result);
  result.throughput_per_s = static_cast<double>(model.batch) * summary.per_second();
  result.usage = usage_result(used, inferences);
  result.memory = memory_result(model.context);
  for (const auto& context : others) {
    *result.memory->arena_bytes += static_cast<std::int64_t>(context->memory().arena_bytes);
  }
  result.validity = judge(evidence);
  print(program, model, summary, result, overhead);
  program.write_json_text(result_to_text(result));
  return cancellation_requested() ? kExitCancelled : status_of(*result.validity, options.strict);
}

}  // namespace hedge::cli
