// SPDX-License-Identifier: Apache-2.0
#include "cli/model/image_run.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "base/cancellation.h"
#include "base/log.h"
#include "cli/measuring/measurement_text.h"
#include "cli/measuring/watched_conditions.h"
#include "cli/model/model_result.h"
#include "cli/program/flags.h"
#include "measure/latency_result.h"
#include "measure/usage.h"
#include "stats/summary.h"

namespace hedge::cli {

/// Durations of the parts of an iteration, each by a timer of its own: infer()'s stays alone.
struct ImageRun::Timers {
  explicit Timers(std::int64_t images, std::int64_t inferences)
      : preprocess(static_cast<std::size_t>(images)),
        infer(static_cast<std::size_t>(inferences)),
        decide(static_cast<std::size_t>(images)) {}
  LatencyRecorder<> preprocess;  ///< Of one image.
  LatencyRecorder<> infer;
  LatencyRecorder<> decide;
};

namespace {

/// Writes `batch` images from number `first` on into the input; the set begins again at its end.
/// Preprocessing is timed, reading the image is not.
void load_batch(const Dataset& dataset, const ImageInput& input, std::int64_t first,
                std::int64_t batch, LatencyRecorder<>& timer) {
  for (std::int64_t i = 0; i < batch; ++i) {
    const auto index = static_cast<std::size_t>(first + i) % dataset.size();
    const Image image = dataset.image(index);
    timer.time([&] { input.place(image, i); });
  }
}

double median_us(std::span<const std::int64_t> ns) {
  std::vector<std::int64_t> sorted(ns.begin(), ns.end());
  std::sort(sorted.begin(), sorted.end());
  return static_cast<double>(percentile(sorted, 50)) / 1000;
}

/// Medians of one inference: preprocessing that of its whole batch.
SplitResult split_of(std::span<const std::int64_t> preprocess_ns,
                     std::span<const std::int64_t> infer_ns,
                     std::span<const std::int64_t> decide_ns, std::int64_t batch) {
  std::vector<std::int64_t> preprocess(infer_ns.size());
  for (std::size_t i = 0; i < preprocess.size() * static_cast<std::size_t>(batch); ++i) {
    preprocess[i / static_cast<std::size_t>(batch)] += preprocess_ns[i];
  }
  SplitResult split;
  split.preprocess = median_us(preprocess);
  split.compute = median_us(infer_ns);
  if (!decide_ns.empty()) split.decide = median_us(decide_ns);
  return split;
}

}  // namespace

ImageRun::ImageRun(const Program& program, const ModelOptions& model,
                   const MeasuringOptions& measuring, std::string iterations, const Engine& engine,
                   const Dataset& dataset)
    : program_(program),
      model_(model),
      measuring_(measuring),
      engine_(engine),
      dataset_(dataset),
      prepare_(preprocessing_of(engine)),
      classes_(class_count(engine)),
      iterations_(parse_iterations(iterations, static_cast<std::int64_t>(dataset.size()))) {}

std::int64_t ImageRun::counted() const {
  return std::min(iterations_, static_cast<std::int64_t>(dataset_.size()));
}

Result ImageRun::measure(std::int64_t batch, const Look& look) {
  const PixelLayout layout = dataset_.image(0).layout;
  const auto context = engine_.create_context(context_options(model_, batch, layout));
  const ImageInput input(*context, prepare_, layout, batch);
  overhead_ = timer_overhead();
  const std::int64_t inferences = (iterations_ + batch - 1) / batch;
  Timers timers(inferences * batch, inferences);

  load_batch(dataset_, input, 0, batch, timers.preprocess);
  context->copy_in();
  program_.show_notes();
  WatchedConditions conditions;
  const WarmUp warm_up =
      warm_up_calls([&] { context->infer(); }, parse_warm_up(measuring_.warm_up));
  timers.preprocess.clear();
  const ProcessUsage begin = process_usage();
  running_ = context.get();
  run_images(*context, input, {iterations_, counted(), batch}, timers, look);
  running_ = nullptr;
  const ProcessUsage used = process_usage() - begin;
  const auto samples = timers.infer.samples_ns();

  Result result = describe_run(program_.name(), engine_, *context, model_, batch);
  result.config.iterations =
      std::min<std::int64_t>(iterations_, static_cast<std::int64_t>(samples.size()) * batch);
  result.config.warmup_iterations = warm_up.runs;
  set_warm_up(warm_up, result);
  const std::string how = decoding(dataset_, model_);
  if (!how.empty()) result.config.flags["decoding"] = how;
  std::vector<std::string> serious = conditions.finish(result);
  if (!samples.empty()) {
    RunEvidence evidence = evidence_of(samples, {}, warm_up, overhead_, std::move(serious));
    evidence.warmer = warmer_advice(program_);
    set_latency(evidence, {}, overhead_, result);
    set_scope(model_, result);
    result.validity = judge(evidence);
    result.throughput_per_s = static_cast<double>(batch) * 1e6 / *result.latency_us->mean;
    result.split_us =
        split_of(timers.preprocess.samples_ns(), samples, timers.decide.samples_ns(), batch);
    if (preprocesses_on_gpu(model_)) result.split_us->preprocess.reset();  // Is in infer().
    result.usage = usage_result(used, static_cast<std::int64_t>(samples.size()));
    write_evidence(measuring_, samples, {}, result, *result.latency_us);
  }
  result.memory = memory_result(*context);
  decide_ns_ = timers.decide.take();
  return result;
}

void ImageRun::run_images(ExecutionContext& context, const ImageInput& input, const Extent& extent,
                          Timers& timers, const Look& look) const {
  const auto classes = static_cast<std::size_t>(classes_);
  ProgressBar progress(program_, "measuring", extent.iterations);
  for (std::int64_t first = 0; first < extent.iterations; first += extent.batch) {
    if (cancellation_requested()) break;
    load_batch(dataset_, input, first, extent.batch, timers.preprocess);
    context.copy_in();
    timers.infer.time([&] { context.infer(); });
    progress.update(first);
    const std::int64_t last = std::min(first + extent.batch, extent.counted);
    if (first >= last) continue;  // Nothing is decided in later rounds.
    context.copy_out();
    look(first, context.output(0).first(static_cast<std::size_t>(last - first) * classes),
         timers.decide);
  }
}

void ImageRun::print_warm_up_and_latency(const Result& result) const {
  program_.print_text(warm_up_line(result));
  if (!result.latency_us) return;
  program_.print_text(latency_lines(*result.latency_us));
  program_.print_text(evidence_lines(*result.latency_us));
  program_.print("           {:.1f} images a second at the mean\n", *result.throughput_per_s);
  program_.print("timed      {}, {} image{} each; {} and the look at the scores are outside\n",
                 preprocesses_on_gpu(model_) ? timed_call(model_) : "infer() alone",
                 *result.config.batch, *result.config.batch == 1 ? "" : "s",
                 preprocesses_on_gpu(model_) ? "reading, resizing and placing the image's bytes"
                                             : "preprocessing");
  const auto size = static_cast<std::int64_t>(dataset_.size());
  if (*result.config.iterations > size) {
    program_.print("repeated   the {} images {:.4g} times over (--iterations=all: once)\n", size,
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

void ImageRun::print_rest(const Result& result) const {
  program_.print_text(memory_line(*result.memory));
  program_.print_text(machine_notes(result.machine));
  if (result.validity) program_.print_text(verdict_lines(*result.validity));
}

void set_accuracy(const Accuracy& accuracy, Result& result) {
  result.accuracy = accuracy.result();
  if (accuracy.without_class() == 0) return;
  result.warnings.push_back(
      fmt::format("{} images got no class: none of their scores is a number (NaN in the weights?)",
                  accuracy.without_class()));
  log(LogLevel::kWarning, result.warnings.back());
}

void add_image_run_options(CLI::App& app, std::string& iterations, MeasuringOptions& measuring) {
  app.add_option("--iterations", iterations, "Images; 0 or all: the whole dataset (default 10000)")
      ->type_name("N");
  add_warm_up_option(app, measuring);
}

}  // namespace hedge::cli
