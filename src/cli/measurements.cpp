// SPDX-License-Identifier: Apache-2.0
// One image over and over: latency by one timer around the whole loop, beside a timer an iteration;
// or energy, by a power meter beside the loop.
#include <fmt/format.h>

#include "base/cancellation.h"
#include "cli/energy_mode.h"
#include "cli/flags.h"
#include "cli/model_options.h"
#include "cli/program.h"
#include "hedge/error.h"
#include "measure/latency.h"
#include "measure/latency_result.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  ./measurements --model=../models/resnet8_cifar_fp32.engine --iterations=50000\n"
    "\n"
    "One image is loaded and preprocessed, 100 untimed inferences warm up, then the loop runs "
    "under\n"
    "one timer and its time is divided by the iterations. The same again with a timer around each\n"
    "inference shows what that timer costs.\n"
    "\n"
    "  ./measurements --energy --model=resnet8_cifar_fp32.engine                until Ctrl-C\n"
    "  ./measurements --energy --duration=30s --meter=csv:power.csv --marker=auto --model=...\n"
    "\n"
    "Energy: the power at rest (--idle), the same loop beside a power meter, and at rest again. "
    "Gross "
    "is\n"
    "all that the meter's rails drew, net what was above rest; docs/energy.md tells more.\n";

struct Options {
  ModelOptions model;
  std::string iterations = "10000";
  std::string batch;
  std::string max_batch_size;
  std::string warm_up = std::to_string(kDefaultWarmUpRuns);
  bool latency = HEDGE_DEFAULT_LATENCY != 0;
  bool energy = HEDGE_DEFAULT_ENERGY != 0;
  bool endless = false;  ///< No --iterations was given.
  EnergyOptions energy_options;
};

/// Whose meter comes first.
bool runs_on_gpu(const Engine& engine) {
  const std::string& backend = engine.info().backend;
  return backend == "cuda" || backend == "tensorrt";
}

int measure_energy(const Program& program, const Options& options, const EnergyMode& mode,
                   const Engine& engine, ExecutionContext& context, std::int64_t warm_up_runs) {
  std::int64_t warmed_up = 0;
  MeteredRun run =
      mode.run([&] { context.infer(); }, [&] { warmed_up = warm_up(context, warm_up_runs); });
  Result result =
      describe_run("measurements", engine, context, options.model, batch_of(engine, options.batch));
  result.config.warmup_iterations = warmed_up;
  result.memory = memory_result(context);
  program.print_text(model_line(result));
  return mode.report(std::move(run), std::move(result));
}

int measure(const Program& program, const Options& options) {
  if (!options.latency && !options.energy) {
    throw bad_input(
        "nothing to measure: built with LATENCY=0 and ENERGY=0; give --latency or --energy");
  }
  const std::int64_t warm_up_runs = parse_count("--warmup", options.warm_up, 0, 1'000'000'000);
  const auto engine = open_engine(options.model);
  const std::int64_t batch = batch_of(*engine, options.batch);
  require_batch_within(options.max_batch_size, {batch});
  const auto dataset = open_dataset(*engine, options.model);
  const std::int64_t iterations =
      parse_iterations(options.iterations, static_cast<std::int64_t>(dataset->size()));
  const auto context =
      engine->create_context({.threads = thread_count(options.model.threads), .batch = batch});
  const Preprocessing prepare = preprocessing_of(*engine);
  const auto input = context->input();
  const std::size_t image_size = input.size() / static_cast<std::size_t>(batch);
  const Image image = dataset->image(0);
  for (std::size_t at = 0; at < input.size(); at += image_size) {
    prepare(image, input.subspan(at, image_size));
  }
  if (options.energy) {
    const EnergyMode mode(program, options.energy_options,
                          {.iterations = options.endless ? 0 : iterations,
                           .threads = thread_count(options.model.threads),
                           .gpu = runs_on_gpu(*engine)});
    return measure_energy(program, options, mode, *engine, *context, warm_up_runs);
  }
  const TimerOverhead overhead = timer_overhead();
  LatencyRecorder<> timer(static_cast<std::size_t>(iterations));
  program.show_notes();
  const std::int64_t warmed_up = warm_up(*context, warm_up_runs);
  const LoopTiming loop = measure_loop(*context, iterations);
  for (std::int64_t i = 0; i < iterations && !cancellation_requested(); ++i) {
    timer.time([&] { context->infer(); });
  }

  Result result = describe_run("measurements", *engine, *context, options.model, batch);
  result.config.iterations = loop.iterations;
  result.config.warmup_iterations = warmed_up;
  program.print_text(model_line(result));
  if (loop.iterations == 0) throw runtime_failure("cancelled before the first inference");
  result.latency_us = latency_result(loop, overhead);
  result.throughput_per_s = static_cast<double>(batch) * 1e9 / loop.ns_per_iteration();
  result.memory = memory_result(*context);
  program.print("latency    {:.3f} us an inference, amortised: {} inferences under one timer\n",
                loop.ns_per_iteration() / 1000, loop.iterations);
  if (!timer.samples_ns().empty()) {
    const Summary summary = summarize(timer.samples_ns());
    program.print(
        "           {:.3f} us with a timer around each (mean of {}; p50 {:.3f}): {:+.1f} ns\n",
        summary.mean_ns / 1000, summary.count, static_cast<double>(summary.p50_ns) / 1000,
        summary.mean_ns - loop.ns_per_iteration());
    result.config.flags["per_iteration_mean_us"] = summary.mean_ns / 1000;
    result.config.flags["per_iteration_p50_us"] = static_cast<double>(summary.p50_ns) / 1000;
  }
  program.print("timed      infer(), the loop's counter and a look at the flag of Ctrl-C\n");
  program.print_text(timer_line(overhead));
  program.print_text(memory_line(*result.memory));
  program.print_text(machine_notes(result.machine));
  program.write_json_text(result_to_text(result));
  return cancellation_requested() ? kExitCancelled : kExitSuccess;
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("measurements",
                  "Measure latency or energy of a model on one image, over and over", kExamples);
  Options options;
  CLI::App& app = program.app();
  add_model_options(app, options.model);
  app.add_option("--iterations", options.iterations, "Inferences (default 10000)")->type_name("N");
  app.add_option("--batch", options.batch, "Images of one inference (default: as built)")
      ->type_name("N");
  app.add_option("--maxBatchSize", options.max_batch_size, "Refuse batches above it")
      ->type_name("N");
  app.add_option("--warmup", options.warm_up, "Untimed inferences before (default 100)")
      ->type_name("N");
  app.add_flag_callback(
      "--latency",
      [&] {
        options.latency = true;
        options.energy = false;
      },
      "Measure latency");
  app.add_flag_callback(
      "--energy", [&] { options.energy = true; },
      "Measure energy and latency, until Ctrl-C unless --iterations or --duration bound it");
  add_energy_flags(app, options.energy_options);
  program.add_json_flag("schema hedge.result/1");
  return program.run(argc, argv, [&] {
    options.endless = app.count("--iterations") == 0;
    if (!options.energy) refuse_energy_flags(app);
    return measure(program, options);
  });
}
