// SPDX-License-Identifier: Apache-2.0
// Accuracy and latency of a model on a dataset, each inference timed.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/early_exit_mode.h"
#include "cli/flags.h"
#include "cli/measurement_text.h"
#include "cli/measuring_options.h"
#include "cli/model_options.h"
#include "cli/program.h"
#include "cli/watched_conditions.h"
#include "data/label_file.h"
#include "data/scores_file.h"
#include "hedge/error.h"
#include "measure/accuracy.h"
#include "measure/latency.h"
#include "measure/latency_result.h"
#include "measure/samples_file.h"
#include "measure/usage.h"
#include "measure/validity.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  ./inference --model=../models/resnet8_cifar_fp32.engine --iterations=10000\n"
    "  ./inference --model=resnet8_shapes.onnx --batch=1,2,4,8 --json=sweep.json\n"
    "  ./inference --model=EE_resnet20w_shapes_fp32.engine --exit-decision=top1:0.9\n"
    "\n"
    "An iteration is one image. Timed is infer() alone; reading and preprocessing the image and\n"
    "looking at the scores are outside. More iterations than images begin again with the first;\n"
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
};

/// Durations of the parts of an iteration, each by a timer of its own: infer()'s stays alone.
struct Timers {
  explicit Timers(std::int64_t images, std::int64_t inferences)
      : preprocess(static_cast<std::size_t>(images)),
        infer(static_cast<std::size_t>(inferences)),
        decide(static_cast<std::size_t>(inferences)) {}
  LatencyRecorder<> preprocess;  ///< Of one image.
  LatencyRecorder<> infer;
  LatencyRecorder<> decide;  ///< Arg-max and counting, of the whole batch.
};

/// Writes `batch` images from number `first` on into the input; the set begins again at its end.
/// Preprocessing is timed, reading the image is not.
void load_batch(const Dataset& dataset, const Preprocessing& prepare, std::int64_t first,
                std::int64_t batch, std::span<float> input, LatencyRecorder<>& timer) {
  const std::size_t size = input.size() / static_cast<std::size_t>(batch);
  for (std::int64_t i = 0; i < batch; ++i) {
    const auto index = static_cast<std::size_t>(first + i) % dataset.size();
    const Image image = dataset.image(index);
    timer.time([&] { prepare(image, input.subspan(static_cast<std::size_t>(i) * size, size)); });
  }
}

double median_us(std::span<const std::int64_t> ns) {
  std::vector<std::int64_t> sorted(ns.begin(), ns.end());
  std::sort(sorted.begin(), sorted.end());
  return static_cast<double>(percentile(sorted, 50)) / 1000;
}

/// Medians of one inference: preprocessing that of its whole batch.
SplitResult split_of(const Timers& timers, std::int64_t batch) {
  const auto images = timers.preprocess.samples_ns();
  std::vector<std::int64_t> preprocess(timers.infer.samples_ns().size());
  for (std::size_t i = 0; i < preprocess.size() * static_cast<std::size_t>(batch); ++i) {
    preprocess[i / static_cast<std::size_t>(batch)] += images[i];
  }
  SplitResult split;
  split.preprocess = median_us(preprocess);
  split.compute = median_us(timers.infer.samples_ns());
  split.decide = median_us(timers.decide.samples_ns());
  return split;
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
    const auto context =
        engine_.create_context({.threads = thread_count(options_.model.threads), .batch = batch});
    const TimerOverhead overhead = timer_overhead();
    Accuracy accuracy(classes_, {.keep_predictions = !options_.predictions.empty(),
                                 .expected_images = static_cast<std::size_t>(counted)});
    const std::int64_t inferences = (iterations + batch - 1) / batch;
    Timers timers(inferences * batch, inferences);
    Measured measured;
    if (!options_.scores.empty()) {
      measured.scores.reserve(static_cast<std::size_t>(counted * classes_));
    }

    load_batch(dataset_, prepare_, 0, batch, context->input(), timers.preprocess);
    program_.show_notes();
    WatchedConditions conditions;
    const WarmUp warm_up =
        warm_up_calls([&] { context->infer(); }, parse_warm_up(options_.measuring.warm_up));
    timers.preprocess.clear();
    const ProcessUsage begin = process_usage();
    run_images(*context, {iterations, counted, batch}, timers, accuracy, measured);
    const ProcessUsage used = process_usage() - begin;
    const auto samples = timers.infer.samples_ns();

    Result& result = measured.result;
    result = describe_run("inference", engine_, *context, options_.model, batch);
    result.config.iterations =
        std::min<std::int64_t>(iterations, static_cast<std::int64_t>(samples.size()) * batch);
    result.config.warmup_iterations = warm_up.runs;
    set_warm_up(warm_up, result);
    const std::string how = decoding(dataset_, options_.model);
    if (!how.empty()) result.config.flags["decoding"] = how;
    result.accuracy = accuracy.result();
    if (accuracy.without_class() > 0) {
      result.warnings.push_back(fmt::format(
          "{} images got no class: none of their scores is a number (NaN in the weights?)",
          accuracy.without_class()));
      log(LogLevel::kWarning, result.warnings.back());
    }
    std::vector<std::string> serious = conditions.finish(result);
    if (!samples.empty()) {
      judge_latency(samples, warm_up, overhead, std::move(serious), result);
      result.throughput_per_s = static_cast<double>(batch) * 1e6 / *result.latency_us->mean;
      result.split_us = split_of(timers, batch);
      result.usage = usage_result(used, static_cast<std::int64_t>(samples.size()));
      write_evidence(options_.measuring, samples, {}, result, *result.latency_us);
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
    program_.print_text(warm_up_line(result));
    if (result.latency_us) {
      program_.print_text(latency_lines(*result.latency_us));
      program_.print_text(evidence_lines(*result.latency_us));
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
      program_.print_text(regimes_lines(result));
      program_.print_text(split_line(*result.split_us));
      program_.print_text(usage_line(result));
      program_.print_text(timer_line(overhead_));
    }
    program_.print_text(memory_line(*result.memory));
    program_.print_text(machine_notes(result.machine));
    if (result.validity) program_.print_text(verdict_lines(*result.validity));
  }

 private:
  struct Extent {
    std::int64_t iterations;
    std::int64_t counted;  ///< The images of the first round, which accuracy counts.
    std::int64_t batch;
  };

  void run_images(ExecutionContext& context, const Extent& extent, Timers& timers,
                  Accuracy& accuracy, Measured& measured) const {
    const std::int64_t batch = extent.batch;
    ProgressBar progress(program_, "measuring", extent.iterations);
    for (std::int64_t first = 0; first < extent.iterations; first += batch) {
      if (cancellation_requested()) break;
      load_batch(dataset_, prepare_, first, batch, context.input(), timers.preprocess);
      timers.infer.time([&] { context.infer(); });
      progress.update(first);
      const std::int64_t last = std::min(first + batch, extent.counted);
      if (first >= last) continue;  // Nothing is decided in later rounds.
      timers.decide.time([&] {
        for (std::int64_t i = first; i < last; ++i) add(i, i - first, context, accuracy, measured);
      });
    }
  }

  static void judge_latency(std::span<const std::int64_t> samples, const WarmUp& warm_up,
                            const TimerOverhead& overhead, std::vector<std::string> serious,
                            Result& result) {
    RunEvidence evidence;
    evidence.summary = summarize(samples);
    evidence.regimes = find_regimes(samples, overhead.resolution_ns);
    evidence.warm_up = warm_up;
    evidence.timer = overhead;
    evidence.cut_short = cancellation_requested();
    evidence.serious_conditions = std::move(serious);
    result.latency_us = latency_result(*evidence.summary, kScopeInfer, overhead);
    result.regimes = regimes_result(*evidence.regimes);
    result.validity = judge(evidence);
  }

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
  for (const std::string& file : {options.scores, options.early_exit.exit_scores}) {
    if (!file.empty()) require_scores_extension(file);
  }
  require_exit_decision(options.early_exit);
  const MeasuringOptions& measuring = options.measuring;
  if (!measuring.samples.empty()) require_samples_extension(measuring.samples);
  (void)parse_warm_up(measuring.warm_up);
  require_distinct({{"--model", options.model.model},
                    {"--predictions", options.predictions},
                    {"--scores", options.scores},
                    {"--exit-scores", options.early_exit.exit_scores},
                    {"--server-labels", options.early_exit.server_labels},
                    {"--samples", measuring.samples},
                    {"--benchmark_out", measuring.benchmark_out},
                    {"--json", program.json_file()}});
  for (const std::string& file :
       {options.predictions, options.scores, options.early_exit.exit_scores, measuring.samples,
        measuring.benchmark_out}) {
    if (!file.empty()) require_writable(file);
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
  add_decode_options(app, options.model);
  app.add_option("--iterations", options.iterations,
                 "Images; 0 or all: the whole dataset (default 10000)")
      ->type_name("N");
  app.add_option("--batch", options.batches,
                 "Images of one inference; a list is a sweep (default: as built)")
      ->type_name("N[,N...]");
  app.add_option("--maxBatchSize", options.max_batch_size, "Refuse batches above it")
      ->type_name("N");
  add_warm_up_option(app, options.measuring);
  add_evidence_options(app, options.measuring);
  app.add_option("--predictions", options.predictions,
                 "Write the predicted class of each image, one a line")
      ->type_name("FILE");
  app.add_option("--scores", options.scores, "Write the scores of each image, as .npy or .csv")
      ->type_name("FILE");
  add_early_exit_options(app, options.early_exit);
  program.add_json_flag("schema hedge.result/1; of a sweep a list of them");
  return program.run(argc, argv, [&] { return measure_all(program, options); });
}
