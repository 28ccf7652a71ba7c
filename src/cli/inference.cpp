// SPDX-License-Identifier: Apache-2.0
// Accuracy and latency of a model on a dataset, each inference timed.
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/flags.h"
#include "cli/model_options.h"
#include "cli/program.h"
#include "data/label_file.h"
#include "data/scores_file.h"
#include "hedge/error.h"
#include "measure/accuracy.h"
#include "measure/latency.h"
#include "measure/latency_result.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  ./inference --model=../models/resnet8_cifar_fp32.engine --iterations=10000\n"
    "  ./inference --model=resnet8_shapes.onnx --batch=1,2,4,8 --json=sweep.json\n"
    "\n"
    "An iteration is one image. Timed is infer() alone; reading and preprocessing the image and\n"
    "looking at the scores are outside. More iterations than images begin again with the first;\n"
    "accuracy counts each image once. Ctrl-C prints what was measured so far (exit status 130).\n";

struct Options {
  ModelOptions model;
  std::string iterations = "10000";
  std::string batches;
  std::string warm_up = std::to_string(kDefaultWarmUpRuns);
  std::string max_batch_size;
  std::string predictions;
  std::string scores;
};

struct Measured {
  Result result;
  std::vector<int> predictions;
  std::vector<float> scores;
};

/// Writes `batch` images from number `first` on into the input; the set begins again at its end.
void load_batch(const Dataset& dataset, const Preprocessing& prepare, std::int64_t first,
                std::int64_t batch, std::span<float> input) {
  const std::size_t size = input.size() / static_cast<std::size_t>(batch);
  for (std::int64_t i = 0; i < batch; ++i) {
    const auto index = static_cast<std::size_t>(first + i) % dataset.size();
    prepare(dataset.image(index), input.subspan(static_cast<std::size_t>(i) * size, size));
  }
}

class Run {
 public:
  Run(const Program& program, const Options& options, const Engine& engine, const Dataset& dataset)
      : program_(program),
        options_(options),
        engine_(engine),
        dataset_(dataset),
        prepare_(preprocessing_of(engine)),
        classes_(class_count(engine)) {}

  Measured measure(std::int64_t batch) {
    const auto size = static_cast<std::int64_t>(dataset_.size());
    const std::int64_t iterations = parse_iterations(options_.iterations, size);
    const std::int64_t counted = std::min(iterations, size);
    const std::int64_t warm_up_runs = parse_count("--warmup", options_.warm_up, 0, 1'000'000'000);
    const auto context =
        engine_.create_context({.threads = thread_count(options_.model.threads), .batch = batch});
    const TimerOverhead overhead = timer_overhead();
    Accuracy accuracy(classes_, {.keep_predictions = !options_.predictions.empty(),
                                 .expected_images = static_cast<std::size_t>(counted)});
    LatencyRecorder<> timer(static_cast<std::size_t>((iterations + batch - 1) / batch));
    Measured measured;
    if (!options_.scores.empty()) {
      measured.scores.reserve(static_cast<std::size_t>(counted * classes_));
    }

    load_batch(dataset_, prepare_, 0, batch, context->input());
    const std::int64_t warmed_up = warm_up(*context, warm_up_runs);
    ProgressBar progress(program_, "measuring", iterations);
    for (std::int64_t first = 0; first < iterations && !cancellation_requested(); first += batch) {
      load_batch(dataset_, prepare_, first, batch, context->input());
      timer.time([&] { context->infer(); });
      const std::int64_t last = std::min(first + batch, counted);
      for (std::int64_t i = first; i < last; ++i) add(i, i - first, *context, accuracy, measured);
      progress.update(first);
    }

    Result& result = measured.result;
    result = describe_run("inference", engine_, *context, options_.model, batch);
    result.config.iterations = std::min<std::int64_t>(
        iterations, static_cast<std::int64_t>(timer.samples_ns().size()) * batch);
    result.config.warmup_iterations = warmed_up;
    const std::string how = decoding(dataset_, options_.model);
    if (!how.empty()) result.config.flags["decoding"] = how;
    result.accuracy = accuracy.result();
    if (accuracy.without_class() > 0) {
      result.warnings.push_back(fmt::format(
          "{} images got no class: none of their scores is a number (NaN in the weights?)",
          accuracy.without_class()));
      log(LogLevel::kWarning, result.warnings.back());
    }
    if (!timer.samples_ns().empty()) {
      const Summary summary = summarize(timer.samples_ns());
      result.latency_us = latency_result(summary, kScopeInfer, overhead);
      result.throughput_per_s = static_cast<double>(batch) * 1e9 / summary.mean_ns;
    }
    result.memory = memory_result(*context);
    const auto predictions = accuracy.predictions();
    measured.predictions.assign(predictions.begin(), predictions.end());
    overhead_ = overhead;
    return measured;
  }

  void print(const Result& result) const {
    program_.print_text(model_line(result));
    program_.print_text(accuracy_line(*result.accuracy));
    if (result.latency_us) {
      program_.print_text(latency_lines(*result.latency_us));
      program_.print("           {:.1f} images a second at the mean\n", *result.throughput_per_s);
      program_.print(
          "timed      infer() alone, {} image{} each; preprocessing and the look at the "
          "scores are outside\n",
          *result.config.batch, *result.config.batch == 1 ? "" : "s");
      const auto size = static_cast<std::int64_t>(dataset_.size());
      if (*result.config.iterations > size) {
        program_.print("repeated   the {} images {:.4g} times over (--iterations=all: once)\n",
                       size,
                       static_cast<double>(*result.config.iterations) / static_cast<double>(size));
      }
      if (const auto how = result.config.flags.find("decoding"); how != result.config.flags.end()) {
        program_.print("decoding   {}\n", how->second.get<std::string>());
      }
      program_.print_text(timer_line(overhead_));
    }
    program_.print_text(memory_line(*result.memory));
    program_.print_text(machine_notes(result.machine));
  }

 private:
  /// Image `index` of the dataset lies at `slot` of the batch.
  void add(std::int64_t index, std::int64_t slot, const ExecutionContext& context,
           Accuracy& accuracy, Measured& measured) const {
    const auto scores = context.output(0).subspan(static_cast<std::size_t>(slot * classes_),
                                                  static_cast<std::size_t>(classes_));
    accuracy.add(dataset_.label(static_cast<std::size_t>(index)), scores);
    if (!options_.scores.empty()) {
      measured.scores.insert(measured.scores.end(), scores.begin(), scores.end());
    }
  }

  const Program& program_;
  const Options& options_;
  const Engine& engine_;
  const Dataset& dataset_;
  Preprocessing prepare_;
  int classes_;
  TimerOverhead overhead_;
};

int measure_all(const Program& program, const Options& options) {
  if (!options.scores.empty()) require_scores_extension(options.scores);
  require_distinct({{"--model", options.model.model},
                    {"--predictions", options.predictions},
                    {"--scores", options.scores},
                    {"--json", program.json_file()}});
  for (const std::string& file : {options.predictions, options.scores}) {
    if (!file.empty()) require_writable(file);
  }
  const auto engine = open_engine(options.model);
  const auto batches = options.batches.empty()
                           ? std::vector{engine->info().batch}
                           : parse_counts("--batch", options.batches, 1, kMostImages);
  require_batch_within(options.max_batch_size, batches);
  auto images = open_dataset(*engine, options.model);
  require_same_classes(*engine, *images, options.model);
  const auto size = static_cast<std::int64_t>(images->size());
  const auto dataset = decoded_ahead(std::move(images), options.model,
                                     std::min(size, parse_iterations(options.iterations, size)));
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
  program.write_json_text(results_to_text(results));
  return cancellation_requested() ? kExitCancelled : kExitSuccess;
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
  add_decode_options(app, options.model);
  app.add_option("--iterations", options.iterations,
                 "Images; 0 or all: the whole dataset (default 10000)")
      ->type_name("N");
  app.add_option("--batch", options.batches,
                 "Images of one inference; a list is a sweep (default: as built)")
      ->type_name("N[,N...]");
  app.add_option("--maxBatchSize", options.max_batch_size, "Refuse batches above it")
      ->type_name("N");
  app.add_option("--warmup", options.warm_up, "Untimed inferences before (default 100)")
      ->type_name("N");
  app.add_option("--predictions", options.predictions,
                 "Write the predicted class of each image, one a line")
      ->type_name("FILE");
  app.add_option("--scores", options.scores, "Write the scores of each image, as .npy or .csv")
      ->type_name("FILE");
  program.add_json_flag("schema hedge.result/1; of a sweep a list of them");
  return program.run(argc, argv, [&] { return measure_all(program, options); });
}
