// SPDX-License-Identifier: Apache-2.0
// Hierarchical inference with a server whose answers are recorded, or that runs here.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "cli/hi/hi_options.h"
#include "cli/hi/hi_text.h"
#include "cli/measuring/measuring_options.h"
#include "cli/model/image_run.h"
#include "cli/model/model_options.h"
#include "cli/model/model_result.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "hedge/error.h"
#include "hi/decide/fast_decision.h"
#include "hi/simulate/outcome.h"
#include "hi/simulate/per_sample_file.h"
#include "measure/latency_result.h"
#include "measure/samples_file.h"
#include "result/result_json.h"
#include "stats/summary.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  ./simulation --model=../models/resnet8_cifar_int8.engine --iterations=10000\n"
    "  ./simulation --model=resnet8_shapes.onnx --server-model=resnet20w_shapes.onnx \\\n"
    "               --decision=top1 --threshold=0.9\n"
    "  ./simulation --model=net_cifar.engine --decision-file=decision.json "
    "--per-sample=images.csv\n"
    "\n"
    "The local model answers every image; where the decision does not trust its scores, the\n"
    "server's answer counts (docs/hierarchical-inference.md). Without --decision-file and\n"
    "--decision the coefficients published for the model's name, dataset and precision are taken,\n"
    "without --server-labels and --server-model cifar_predictions.txt or imagenet_predictions.txt\n"
    "of the data folder. Inference and decision are timed apart; the server's time is not part of\n"
    "a simulation (hedge sweep has costs). Ctrl-C prints what was measured so far (exit status\n"
    "130).\n";

struct Options {
  ModelOptions model;
  std::string iterations = "10000";
  MeasuringOptions measuring;
  DecisionOptions decision;
  ServerOptions server;
  std::string per_sample;
};

/// What became of the images, in their order.
struct Images {
  std::vector<int> labels;
  std::vector<int> local;
  std::vector<int> server;
  std::vector<std::uint8_t> kept;
  std::vector<ScoreFeatures> features;  ///< Only where they are written.
  [[nodiscard]] HiAnswers answers() const {
    return {labels, local, std::span(server).first(labels.size()), kept};
  }
};

/// Before anything is timed, so that a server that runs here disturbs nothing. Fewer after Ctrl-C.
std::vector<int> ask_server(const Program& program, Classifier& server, std::int64_t images) {
  std::vector<int> answers;
  answers.reserve(static_cast<std::size_t>(images));
  ProgressBar progress(program, "asking the server", images);
  for (std::int64_t i = 0; i < images && !cancellation_requested(); ++i) {
    answers.push_back(server.classify(static_cast<std::size_t>(i)).label);
    progress.update(i);
  }
  return answers;
}

/// inference, and two lines more: the decision on the scores, and the server's class where it does
/// not keep them.
Result simulate(ImageRun& run, const Dataset& dataset, const FastDecision* decision,
                const Options& options, double temperature, ScoreKind kind, Images& images) {
  const auto counted = static_cast<std::size_t>(run.counted());
  images.labels.reserve(counted);
  images.local.reserve(counted);
  images.kept.reserve(counted);
  if (!options.per_sample.empty()) images.features.reserve(counted);
  Accuracy accuracy(run.classes());
  Result result = run.measure(
      1, [&](std::int64_t image, std::span<const float> scores, LatencyRecorder<>& decide) {
        const auto index = static_cast<std::size_t>(image);
        const int label = dataset.label(index);
        bool keep = false;
        if (decision != nullptr) decide.time([&] { keep = decision->keep(scores, index); });
        const int local = accuracy.add(label, scores);
        if (decision == nullptr) keep = !oracle_offloads(label, local, images.server[index]);
        images.labels.push_back(label);
        images.local.push_back(local);
        images.kept.push_back(keep ? 1 : 0);
        if (options.per_sample.empty()) return;
        images.features.push_back(score_features(scores, kind, temperature));
      });
  set_accuracy(accuracy, result);
  return result;
}

void require_outputs(const Program& program, const Options& options) {
  const MeasuringOptions& measuring = options.measuring;
  if (!measuring.samples.empty()) require_samples_extension(measuring.samples);
  (void)parse_warm_up(measuring.warm_up);
  program.check_files({.written = {{"--per-sample", options.per_sample},
                                   {"--samples", measuring.samples},
                                   {"--benchmark_out", measuring.benchmark_out}}});
}

int run(const Program& program, const Options& options) {
  require_outputs(program, options);
  const auto engine = open_engine(options.model);
  const ScoreKind kind = score_kind_of(*engine);
  const DecisionFile file = choose_decision(options.decision, *engine, options.model.precision);
  auto opened = open_dataset(*engine, options.model);
  require_same_classes(*engine, *opened, options.model);
  const auto server = open_server(options.server, options.model, *engine, *opened);
  const auto size = static_cast<std::int64_t>(opened->size());
  const auto dataset = decoded_ahead(std::move(opened), options.model,
                                     std::min(size, parse_iterations(options.iterations, size)));
  std::optional<FastDecision> decision;  // Nothing of the oracle, which sees the label.
  if (file.decision.rule != Rule::kOracle) decision.emplace(file.decision, kind);

  ImageRun image_run(program, options.model, options.measuring, options.iterations, *engine,
                     *dataset);
  program.show_notes();
  Images images;
  images.server = ask_server(program, *server, image_run.counted());
  if (cancellation_requested()) {
    program.print("cancelled before the first image: nothing is simulated\n");
    return kExitCancelled;
  }
  Result result = simulate(image_run, *dataset, decision ? &*decision : nullptr, options,
                           file.decision.temperature, kind, images);
  result.hi = hi_outcome(images.answers());
  describe_decision(file.decision, *result.hi);
  result.hi->origin = file.origin;
  result.hi->server = server->description();
  if (!image_run.decide_ns().empty()) {
    result.hi->decision_us =
        latency_result(summarize(image_run.decide_ns()), kScopeDecide, image_run.overhead());
  }

  program.print_text(model_line(result));
  program.print_text(decision_lines(file));
  program.print("server     {}\n", *result.hi->server);
  program.print_text(outcome_lines(*result.hi));
  image_run.print_warm_up_and_latency(result);
  program.print_text(decision_time_line(*result.hi));
  image_run.print_rest(result);
  program.print_text(hi_sentence(*result.hi));
  if (images.labels.empty()) return kExitCancelled;
  if (!options.per_sample.empty()) {
    write_per_sample(options.per_sample, images.answers(), images.features, file.decision);
  }
  program.write_json_text(result_to_text(result));
  return cancellation_requested() ? kExitCancelled
                                  : status_of(*result.validity, options.measuring.strict);
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("simulation",
                  "Simulate hierarchical inference: keep the local answer, or ask a server",
                  kExamples);
  Options options;
  CLI::App& app = program.app();
  add_model_options(app, options.model);
  add_gpu_options(app, options.model.gpu);
  add_decode_options(app, options.model);
  add_decision_options(app, options.decision);
  add_server_options(app, options.server);
  add_image_run_options(app, options.iterations, options.measuring);
  add_evidence_options(app, options.measuring);
  app.add_option("--per-sample", options.per_sample,
                 "Write of each image label, classes, scores, confidence and decision, as CSV")
      ->type_name("FILE");
  program.add_json_flag("schema hedge.result/1");
  return program.run(argc, argv, [&] { return run(program, options); });
}
