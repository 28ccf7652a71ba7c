// SPDX-License-Identifier: Apache-2.0
// Accuracy and latency of a model on a dataset, each inference timed.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/naming.h"
#include "cli/hi/early_exit_mode.h"
#include "cli/measuring/measuring_options.h"
#include "cli/model/image_run.h"
#include "cli/model/model_options.h"
#include "cli/model/model_result.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "data/label_file.h"
#include "data/scores_file.h"
#include "hedge/error.h"
#include "hi/decide/early_exit.h"
#include "measure/accuracy.h"
#include "measure/samples_file.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  ./inference --model=../models/resnet8_cifar_fp32.engine --iterations=10000\n"
    "  ./inference --model=resnet8_shapes.onnx --batch=1,2,4,8 --json=sweep.json\n"
    "  ./inference --model=resnet8_cifar_fp16.engine --preprocess=gpu\n"
    "  ./inference --model=EE_resnet20w_shapes_fp32.engine --exit-decision=top1:0.9\n"
    "\n"
    "An iteration is one image. Timed is infer() alone; reading and preprocessing the image and\n"
    "looking at the scores are outside (--preprocess=gpu: preprocessing is in it). More iterations "
    "than images begin again with the first;\n"
    "accuracy counts each image once. The verdict says whether the latencies can be relied on\n"
    "(docs/measuring.md). Ctrl-C prints what was measured so far (exit status 130).\n";

struct Options {
  ModelOptions model;
  std::string iterations = "10000";
  std::string batches;
  MeasuringOptions measuring;
  std::string max_batch_size;
  std::string predictions;
  std::string scores;
  EarlyExitOptions early_exit;
};

struct Measured {
  Result result;
  std::vector<int> predictions;
  std::vector<float> scores;
  std::vector<float> exit_scores;
};

class Run {
 public:
  /// Throws bad_input where the exit's scores are wanted of an engine without one.
  Run(const Program& program, const Options& options, const Engine& engine, const Dataset& dataset)
      : program_(program),
        options_(options),
        dataset_(dataset),
        exit_(exit_wanted(options, engine)),
        images_(program, options.model, options.measuring, options.iterations, engine, dataset) {}

  Measured measure(std::int64_t batch) {
    const auto counted = static_cast<std::size_t>(images_.counted());
    const auto classes = static_cast<std::size_t>(images_.classes());
    Accuracy accuracy(images_.classes(), {.keep_predictions = !options_.predictions.empty(),
                                          .expected_images = counted});
    Measured measured;
    if (!options_.scores.empty()) measured.scores.reserve(counted * classes);
    if (exit_) measured.exit_scores.reserve(counted * classes);
    measured.result = images_.measure(
        batch, [&](std::int64_t first, std::span<const float> scores, LatencyRecorder<>& decide) {
          // Arg-max and counting, of the whole batch.
          decide.time([&] {
            auto index = static_cast<std::size_t>(first);
            for (std::size_t at = 0; at < scores.size(); at += classes, ++index) {
              accuracy.add(dataset_.label(index), scores.subspan(at, classes));
            }
          });
          const auto keep = [](std::vector<float>& all, std::span<const float> seen) {
            all.insert(all.end(), seen.begin(), seen.end());
          };
          if (!options_.scores.empty()) keep(measured.scores, scores);
          if (exit_) keep(measured.exit_scores, images_.scores_of(*exit_, scores.size()));
        });
    set_accuracy(accuracy, measured.result);
    const auto predictions = accuracy.predictions();
    measured.predictions.assign(predictions.begin(), predictions.end());
    return measured;
  }

  void print(const Result& result) const {
    program_.print_text(model_line(result));
    program_.print_text(accuracy_line(*result.accuracy));
    images_.print_warm_up_and_latency(result);
    images_.print_rest(result);
  }

 private:
  /// The number of the output whose scores --exit-scores wants.
  static std::optional<std::size_t> exit_wanted(const Options& options, const Engine& engine) {
    if (options.early_exit.exit_scores.empty()) return std::nullopt;
    return naming(options.model.model, [&] { return require_exit(engine).output; });
  }

  const Program& program_;
  const Options& options_;
  const Dataset& dataset_;
  std::optional<std::size_t> exit_;
  ImageRun images_;
};

/// `inference --exit-decision`.
int measure_early_exit(const Program& program, const Options& options, const Engine& engine,
                       const Dataset& dataset, std::span<const std::int64_t> batches) {
  if (batches.size() > 1 || batches.front() != 1) {
    throw bad_input("--exit-decision: decides image by image; give --batch=1");
  }
  const auto size = static_cast<std::int64_t>(dataset.size());
  return cli::measure_early_exit(program, {.engine = engine,
                                           .dataset = dataset,
                                           .model = options.model,
                                           .measuring = options.measuring,
                                           .options = options.early_exit,
                                           .iterations = parse_iterations(options.iterations, size),
                                           .predictions = options.predictions,
                                           .scores = options.scores});
}

int measure_all(const Program& program, const Options& options) {
  const MeasuringOptions& measuring = options.measuring;
  program.check_files({.written = {{"--predictions", options.predictions},
                                   {"--scores", options.scores},
                                   {"--exit-scores", options.early_exit.exit_scores},
                                   {"--samples", measuring.samples},
                                   {"--benchmark_out", measuring.benchmark_out}}});
  for (const std::string& file : {options.scores, options.early_exit.exit_scores}) {
    if (!file.empty()) require_scores_extension(file);
  }
  require_exit_decision(options.early_exit);
  if (!measuring.samples.empty()) require_samples_extension(measuring.samples);
  (void)parse_warm_up(measuring.warm_up);
  if (preprocesses_on_gpu(options.model) && !options.early_exit.decision.empty()) {
    throw bad_input("--exit-decision: preprocesses on the CPU; leave --preprocess-on=gpu out");
  }
  const auto engine = open_engine(options.model);
  const auto batches = options.batches.empty()
                           ? std::vector{engine->info().batch}
                           : parse_counts("--batch", options.batches, 1, kMostImages);
  require_batch_within(options.max_batch_size, batches);
  if (batches.size() > 1 && !(measuring.samples.empty() && measuring.benchmark_out.empty())) {
    throw bad_input(fmt::format("{}: holds those of one batch size; give one with --batch",
                                measuring.samples.empty() ? "--benchmark_out" : "--samples"));
  }
  auto images = open_dataset(*engine, options.model);
  require_same_classes(*engine, *images, options.model);
  const auto size = static_cast<std::int64_t>(images->size());
  const auto dataset = decoded_ahead(std::move(images), options.model,
                                     std::min(size, parse_iterations(options.iterations, size)));
  if (!options.early_exit.decision.empty()) {
    return measure_early_exit(program, options, *engine, *dataset, batches);
  }
  Run run(program, options, *engine, *dataset);
  std::vector<Result> results;
  Measured measured;
  for (const std::int64_t batch : batches) {
    if (!results.empty()) {
      if (cancellation_requested()) break;
      program.print("\n");
    }
    Measured next = run.measure(batch);
    run.print(next.result);
    results.push_back(next.result);
    // Predictions do not depend on the batch, but a run that was cut short has fewer.
    const auto images = [](const Measured& m) {
      return m.result.accuracy ? *m.result.accuracy->total : 0;
    };
    if (results.size() == 1 || images(next) > images(measured)) measured = std::move(next);
  }
  if (measured.result.accuracy->total == 0) return kExitCancelled;
  if (!options.predictions.empty()) write_labels(options.predictions, measured.predictions);
  if (!options.scores.empty()) {
    write_scores(options.scores, measured.scores, static_cast<std::size_t>(class_count(*engine)));
  }
  if (!measured.exit_scores.empty()) {
    write_scores(options.early_exit.exit_scores, measured.exit_scores,
                 static_cast<std::size_t>(class_count(*engine)));
  }
  program.write_json_text(results_to_text(results));
  if (cancellation_requested()) return kExitCancelled;
  const auto invalid = [](const Result& result) {
    return result.validity && result.validity->verdict == Verdict::kInvalid;
  };
  const auto first = std::find_if(results.begin(), results.end(), invalid);
  return first == results.end() ? kExitSuccess : status_of(*first->validity, measuring.strict);
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("inference", "Measure accuracy and latency of a model, one image at a time",
                  kExamples);
  Options options;
  CLI::App& app = program.app();
  add_model_options(app, options.model);
  add_gpu_options(app, options.model.gpu);
  add_preprocess_place(app, options.model);
  add_decode_options(app, options.model);
  add_image_run_options(app, options.iterations, options.measuring);
  app.add_option("--batch", options.batches,
                 "Images of one inference; a list is a sweep (default: as built)")
      ->type_name("N[,N...]");
  app.add_option("--maxBatchSize", options.max_batch_size, "Refuse batches above it")
      ->type_name("N");
  add_evidence_options(app, options.measuring);
  app.add_option("--predictions", options.predictions,
                 "Write the predicted class of each image, one a line")
      ->type_name("FILE");
  app.add_option("--scores", options.scores, "Write the scores of each image, as .npy or .csv")
      ->type_name("FILE");
  add_early_exit_options(app, options.early_exit);
  program.add_json_flag("schema hedge.result/1; of a sweep a list of them");
  return program.run(argc, argv, [&] {
    settle_preprocess_place(options.model);
    return measure_all(program, options);
  });
}
