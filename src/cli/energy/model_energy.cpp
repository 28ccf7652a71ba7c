// SPDX-License-Identifier: Apache-2.0
// Energy and latency of a model in one run.
#include "cli/energy/model_energy.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "cli/measuring/measurement_text.h"
#include "cli/measuring/watched_conditions.h"
#include "cli/model/model_options.h"
#include "cli/model/model_result.h"
#include "cli/program/flags.h"
#include "hedge/error.h"
#include "measure/latency_result.h"
#include "measure/paced_load.h"
#include "measure/steady.h"

namespace hedge::cli {
namespace {

/// Whose meter comes first.
bool runs_on_gpu(const Engine& engine) {
  const std::string& backend = engine.info().backend;
  return backend == "cuda" || backend == "tensorrt";
}

EnergyWorkload workload_of(const MeasuredModel& model, const MeasuringOptions& measuring,
                           std::int64_t images) {
  EnergyWorkload workload;
  workload.threads = thread_count(model.options.threads);
  workload.gpu = runs_on_gpu(model.engine);
  workload.strict = measuring.strict;
  if (is_paced(measuring)) return workload;
  if (!measuring.iterations.empty()) {
    workload.iterations = parse_iterations(measuring.iterations, images);
  }
  workload.duration_ns = parse_energy_duration(measuring.duration);
  workload.endless = measuring.iterations.empty() && measuring.duration.empty();
  return workload;
}

}  // namespace

void require_sound_energy_flags(const EnergyOptions& energy, const MeasuringOptions& measuring) {
  using Flag = std::pair<const char*, const std::string*>;
  for (const auto& [flag, text] : std::array<Flag, 4>{{{"--preset", &measuring.preset},
                                                       {"--repetitions", &measuring.repetitions},
                                                       {"--timing", &measuring.timing},
                                                       {"--samples", &measuring.samples}}}) {
    if (!text->empty()) {
      throw bad_input(fmt::format("{}: is for latency; leave it out, or --energy", flag));
    }
  }
  (void)energy_settings_of(energy);
  (void)parse_energy_duration(measuring.duration);
}

int measure_energy(const Program& program, const MeasuredModel& model, const EnergyOptions& energy,
                   const MeasuringOptions& measuring, std::int64_t images) {
  const EnergyMode mode(program, energy_settings_of(energy), workload_of(model, measuring, images));
  const auto infer = [&] { model.context.infer(); };
  const WarmUpRule rule = parse_warm_up(measuring.warm_up);
  WarmUp warm_up;
  const auto warm = [&] { return warm_up = warm_up_calls(infer, rule); };
  // A look at the conditions wakes a device that rests.
  WatchedConditions conditions(std::chrono::seconds(2));
  PacedRun paced_run;
  PacedOptions paced;
  MeteredRun run;
  if (is_paced(measuring)) {
    paced = paced_options_of(measuring, images);
    run = mode.run_body(infer, warm, [&](MeteredLoad& load) {
      load.work_in_beats([&](const auto& count) {
        paced_run = run_paced(
            [&] {
              infer();
              count();
            },
            paced);
        return Window{paced_run.begin_ns, paced_run.end_ns};
      });
    });
  } else {
    run = mode.run(infer, warm);
  }
  Result result =
      describe_run("measurements", model.engine, model.context, model.options, model.batch);
  result.config.warmup_iterations = warm_up.runs;
  result.config.flags["warmup"] = describe(rule);
  result.memory = memory_result(model.context);
  std::vector<std::string> serious = conditions.finish(result);
  program.print_text(model_line(result));
  if (is_paced(measuring)) {
    set_paced(paced_run, paced, warm_up, timer_overhead(), std::move(serious), result);
    program.print_text(warm_up_line(result));
    program.print_text(paced_lines(result));
    program.print_text(latency_lines(*result.latency_us));
    program.print_text(regimes_lines(result));
  } else {
    mode.set_loop(run, warm_up, std::move(serious), result);
  }
  if (preprocesses_on_gpu(model.options)) {
    set_scope(model.options, result);
    program.print("timed      {}\n", timed_call(model.options));
  }
  return mode.report(std::move(run), std::move(result));
}

}  // namespace hedge::cli
