// SPDX-License-Identifier: Apache-2.0
// One image over and over: latency in a closed loop (latency_mode) or at a rate (paced_mode), or
// energy beside either (model_energy).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "base/naming.h"
#include "cli/energy/model_energy.h"
#include "cli/measuring/latency_mode.h"
#include "cli/measuring/measuring_options.h"
#include "cli/model/image_input.h"
#include "cli/model/model_options.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "hedge/error.h"
#include "hi/decide/early_exit.h"
#include "measure/samples_file.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  ./measurements --model=../models/resnet8_cifar_fp32.engine --iterations=50000\n"
    "  ./measurements --model=m.engine --preset=single-stream --samples=samples.csv\n"
    "  ./measurements --model=m.engine --duration=10s --strict\n"
    "  ./measurements --model=m.engine --rate=10/s --duration=60s\n"
    "  ./measurements --model=m.engine --streams=4 --duration=5s\n"
    "  ./measurements --model=m.engine --preprocess=gpu\n"
    "  ./measurements --model=m.engine --energy\n"
    "  ./measurements --model=m.engine --energy --duration=30s --meter=csv:power.csv "
    "--marker=auto\n"
    "\n"
    "One image is loaded and preprocessed, inferences warm up until their time is steady, then "
    "the\n"
    "loop runs in stretches, a timer around each, and its time is divided by the iterations. The\n"
    "same again with a timer around each inference gives percentiles. The verdict says whether "
    "the\n"
    "figures can be relied on, and if not, why and what to do (docs/measuring.md). With --rate\n"
    "inferences come at a rate and the device sleeps in between. With --streams contexts run side "
    "by\n"
    "side. On a GPU the line `split` says what copies and kernels take (docs/cuda.md). Ctrl-C "
    "prints what was measured "
    "so far (exit status\n"
    "130); --strict makes the verdict INVALID exit with status 3.\n"
    "\n"
    "Energy: the power at rest (--idle), the loop beside a power meter, and at rest again; until "
    "Ctrl-C\n"
    "where neither --duration nor --iterations bounds it. Gross is all that the meter's rails "
    "drew, "
    "net\n"
    "what was above rest (docs/energy.md).\n";

struct Options {
  ModelOptions model;
  MeasuringOptions measuring;
  std::string batch;
  std::string max_batch_size;
  bool latency = HEDGE_DEFAULT_LATENCY != 0;
  bool energy = HEDGE_DEFAULT_ENERGY != 0;
  EnergyOptions energy_options;
};

void require_sound_flags(const Program& program, const Options& options) {
  const MeasuringOptions& measuring = options.measuring;
  program.check_files({.written = {{"--samples", measuring.samples},
                                   {"--benchmark_out", measuring.benchmark_out}}});
  // Whatever is wrong with the flags is said before a model is built.
  if (stream_count(measuring) && (options.energy || options.model.stem)) {
    throw bad_input(fmt::format("--streams and {} exclude each other: it is for one stream",
                                options.energy ? "--energy" : "--stem"));
  }
  if (options.model.stem && preprocesses_on_gpu(options.model)) {
    throw bad_input("--stem: preprocesses on the CPU; leave --preprocess-on=gpu out");
  }
  if (options.energy) require_sound_energy_flags(options.energy_options, measuring);
  if (is_paced(measuring)) {
    (void)paced_options_of(measuring, 1);
    (void)parse_warm_up(measuring.warm_up);
  } else {
    (void)plan_of(measuring, 1);
  }
  if (!measuring.benchmark_out.empty() && (options.energy || is_paced(measuring))) {
    throw bad_input("--benchmark_out: is for closed loops, without --energy or --rate");
  }
  if (!measuring.samples.empty()) require_samples_extension(measuring.samples);
}

int measure(const Program& program, const Options& options) {
  if (!options.latency && !options.energy) {
    throw bad_input(
        "nothing to measure: built with LATENCY=0 and ENERGY=0; give --latency or --energy");
  }
  require_sound_flags(program, options);
  const auto engine = open_engine(options.model);
  const std::int64_t batch = batch_of(*engine, options.batch);
  require_batch_within(options.max_batch_size, {batch});
  const auto dataset = open_dataset(*engine, options.model);
  const auto images = static_cast<std::int64_t>(dataset->size());
  const Preprocessing prepare = preprocessing_of(*engine);
  const Image image = dataset->image(0);
  const ContextOptions how = context_options(options.model, batch, image.layout);
  auto context = engine->create_context(how);
  if (options.model.stem) {
    context = naming(options.model.model, [&] { return stem_of(*engine, std::move(context)); });
  }
  const auto fill = [&](ExecutionContext& filled) {
    ImageInput(filled, prepare, image.layout, batch).fill(image);
    filled.copy_in();
  };
  fill(*context);
  const MeasuredModel model{*engine, *context, options.model, batch};
  const MeasuringOptions& measuring = options.measuring;
  if (options.energy) {
    return measure_energy(program, model, options.energy_options, measuring, images);
  }
  if (const auto streams = stream_count(measuring)) {
    std::vector<std::unique_ptr<ExecutionContext>> others;
    while (others.size() + 1 < *streams) {
      others.push_back(engine->create_context(how));
      fill(*others.back());
    }
    return measure_streams(program, model, others, plan_of(measuring, images), measuring);
  }
  if (is_paced(measuring)) {
    return measure_paced(program, model, parse_warm_up(measuring.warm_up),
                         paced_options_of(measuring, images), measuring);
  }
  return measure_latency(program, model, plan_of(measuring, images), measuring);
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
  add_gpu_options(app, options.model.gpu);
  add_preprocess_place(app, options.model);
  add_plan_options(app, options.measuring);
  add_warm_up_option(app, options.measuring);
  add_paced_options(app, options.measuring);
  add_streams_option(app, options.measuring);
  add_evidence_options(app, options.measuring);
  app.add_option("--batch", options.batch, "Images of one inference (default: as built)")
      ->type_name("N");
  app.add_option("--maxBatchSize", options.max_batch_size, "Refuse batches above it")
      ->type_name("N");
  app.add_flag("--stem", options.model.stem,
               "Of a net with an early exit, run up to there: what an image costs that leaves");
  app.add_flag_callback(
      "--latency",
      [&] {
        options.latency = true;
        options.energy = false;
      },
      "Measure latency");
  app.add_flag_callback(
      "--energy", [&] { options.energy = true; },
      "Measure energy and latency, until Ctrl-C unless --iterations or --duration bounds it (what "
      "comes "
      "first)");
  add_energy_flags(app, options.energy_options);
  program.add_json_flag("schema hedge.result/1");
  return program.run(argc, argv, [&] {
    if (!options.energy) refuse_energy_flags(app, "give --energy too");
    settle_preprocess_place(options.model);
    return measure(program, options);
  });
}
