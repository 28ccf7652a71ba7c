// SPDX-License-Identifier: Apache-2.0
// The open loop of `measurements --rate`: a device that mostly sleeps.
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "cli/measuring/latency_mode.h"
#include "cli/measuring/measurement_text.h"
#include "cli/measuring/measuring_options.h"
#include "cli/measuring/watched_conditions.h"
#include "cli/model/model_result.h"
#include "hedge/error.h"
#include "measure/latency_result.h"
#include "measure/samples_file.h"
#include "measure/usage.h"
#include "measure/validity.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

void print(const Program& program, const ModelOptions& options, const Result& result,
           const TimerOverhead& overhead) {
  program.print_text(model_line(result));
  program.print_text(warm_up_line(result));
  program.print_text(paced_lines(result));
  program.print_text(latency_lines(*result.latency_us));
  program.print_text(evidence_lines(*result.latency_us));
  program.print_text(regimes_lines(result));
  program.print_text(usage_line(result));
  program.print("timed      {}; the response adds the wait in the queue and waking up\n",
                preprocesses_on_gpu(options) ? timed_call(options) : "infer() alone");
  program.print_text(timer_line(overhead));
  program.print_text(memory_line(*result.memory));
  program.print_text(machine_notes(result.machine));
  program.print_text(verdict_lines(*result.validity));
}

}  // namespace

void set_paced(const PacedRun& run, const PacedOptions& paced, const WarmUp& warm_up,
               const TimerOverhead& overhead, std::vector<std::string> serious, Result& result) {
  std::vector<std::int64_t> service;
  service.reserve(run.samples.size());
  for (const PacedSample& sample : run.samples) service.push_back(sample.service_ns());
  RunEvidence evidence = evidence_of(service, {}, warm_up, overhead, std::move(serious));
  set_warm_up(warm_up, result);
  set_latency(evidence, {}, overhead, result);
  result.paced = paced_result(run, paced, overhead);
  result.throughput_per_s = static_cast<double>(result.config.batch.value_or(1)) *
                            static_cast<double>(run.samples.size()) /
                            result.paced->seconds.value_or(1);
  evidence.paced = {.periodic = paced.arrivals == Arrivals::kPeriodic,
                    .requests = *result.paced->requests,
                    .missed = run.missed,
                    .busy = result.paced->busy.value_or(0)};
  evidence.longer = longer_advice(paced.bound);
  result.validity = judge(evidence);
}

int measure_paced(const Program& program, const MeasuredModel& model, const WarmUpRule& rule,
                  const PacedOptions& paced, const MeasuringOptions& options) {
  const TimerOverhead overhead = timer_overhead();
  program.show_notes();
  // A look at the conditions takes as long as some inferences and wakes the device up.
  WatchedConditions conditions(std::chrono::seconds(2));
  const auto infer = [&] { model.context.infer(); };
  const WarmUp warm_up = warm_up_calls(infer, rule);
  const ProcessUsage begin = process_usage();
  PacedRun run;
  {
    const bool by_time = paced.bound.duration_ns > 0;
    ProgressBar progress(program, by_time ? "paced, ms" : "paced",
                         by_time ? paced.bound.duration_ns / 1'000'000 : paced.bound.iterations);
    const std::int64_t first_ns = SteadyClock::now_ns();
    std::int64_t done = 0;
    run = run_paced(infer, paced, SteadyClock{}, DeadlineSleeper{}, [&](std::int64_t next_ns) {
      progress.update(by_time ? (next_ns - first_ns) / 1'000'000 : done);
      ++done;
    });
  }
  const ProcessUsage used = process_usage() - begin;
  if (run.samples.empty()) throw runtime_failure("cancelled before the first inference");

  Result result =
      describe_run("measurements", model.engine, model.context, model.options, model.batch);
  result.config.iterations = static_cast<std::int64_t>(run.samples.size());
  result.config.warmup_iterations = warm_up.runs;
  result.config.flags["warmup"] = describe(rule);
  set_paced(run, paced, warm_up, overhead, conditions.finish(result), result);
  set_scope(model.options, result);
  result.usage = usage_result(used, *result.config.iterations);
  result.memory = memory_result(model.context);
  if (!options.samples.empty()) {
    write_samples(options.samples, run);
    result.latency_us->samples_file = options.samples;
  }
  print(program, model.options, result, overhead);
  program.write_json_text(result_to_text(result));
  return cancellation_requested() ? kExitCancelled : status_of(*result.validity, options.strict);
}

}  // namespace hedge::cli
