// SPDX-License-Identifier: Apache-2.0
// Fits the decision of hierarchical inference to a model's scores and says how good it is.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iterator>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/file.h"
#include "base/log.h"
#include "base/naming.h"
#include "base/text.h"
#include "builder/score_images.h"
#include "cli/hi/fit_text.h"
#include "cli/hi/hi_options.h"
#include "cli/model/calibration_options.h"
#include "cli/model/model_options.h"
#include "cli/model/scored_images.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "data/cifar_dataset.h"
#include "hedge/error.h"
#include "hi/decide/decision_file.h"
#include "hi/fit/fit_report.h"
#include "hi/simulate/recorded_classifier.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hedge fit --model=resnet8_cifar_fp32.engine --out=decision.json\n"
    "  hedge fit --model=resnet8_cifar_fp32.engine --server-labels=cifar_predictions.txt\n"
    "  inference --model=NET.engine --scores=scores.npy\n"
    "  hedge fit --scores=scores.npy --labels=labels.txt --features=top1,margin,entropy\n"
    "  hedge fit --scores=scores.npy --labels=labels.txt --decision=margin --calibration=isotonic\n"
    "\n"
    "What is fitted is the probability that the local answer is right; the answer is kept where\n"
    "it reaches --threshold. The figures to believe are those out of fold: each image judged by\n"
    "a fit on the other folds. Fit on images that the net was not trained on: on those it is\n"
    "over-confident. The file is for simulation --decision-file and sweep (docs/fitting.md).\n";

struct Options {
  ModelOptions model;
  bool own_threads = false;  ///< --threads was given.
  std::string iterations = "10000";
  ScoredImagesOptions recorded;
  std::string decision = "logistic";
  std::string features;
  std::string l2 = "1";
  std::string folds = "5";
  std::string seed = "1";
  std::string threshold = "0.5";
  std::string calibration = "none";
  std::string out;
  std::string diagram;
};

/// Scores come from a model or from a file; flags of the other are a mistake. `of_model` are those
/// of running a model.
void require_one_source(const CLI::App& app, const std::vector<const CLI::Option*>& of_model,
                        const Options& options) {
  if (options.recorded.scores.empty()) {
    for (const char* flag : {"--logits", "--softmax"}) {
      if (app.count(flag) > 0) {
        throw bad_input(fmt::format("{}: says what is in --scores=FILE, which is not given", flag));
      }
    }
    return;
  }
  refuse_given(of_model, kForRunningAModel);
}

/// On the images that the engine was made with a decision learns too much confidence.
void warn_of_known_images(const EngineInfo& info, const Options& options) {
  const bool records = info.dataset == "cifar" || info.dataset == "shapes";
  const std::filesystem::path file =
      records ? find_dataset_file(info.dataset, options.model.data) : std::filesystem::path();
  const std::string name = file.filename().string();
  const bool training = name.starts_with("data_batch") || name == "shapes_train.bin";
  if (training) {
    log(LogLevel::kWarning,
        fmt::format("{}: are training images, on which the net is over-confident: the decision "
                    "will trust it too much; fit on the test images",
                    file.string()));
  }
  if (!info.calibration) return;
  const CalibrationInfo& calibration = *info.calibration;
  if (training ? calibration.source.find(name) != std::string::npos : calibration.test_images) {
    log(LogLevel::kWarning,
        "the engine's int8 ranges were calibrated on the same images, which flatters it a little");
  }
}

ScoredImages run_model(const Program& program, const Options& options,
                       const DecisionFitOptions& how) {
  const auto engine = open_engine(options.model);
  require_fittable(how, score_kind_of(*engine));  // Before all images are run.
  auto images = open_dataset(*engine, options.model);
  require_same_classes(*engine, *images, options.model);
  warn_of_known_images(engine->info(), options);
  const auto size = static_cast<std::int64_t>(images->size());
  const std::int64_t count = std::min(size, parse_iterations(options.iterations, size));
  ScoredImages input;
  const std::string& server_labels = options.recorded.server_labels;
  if (!server_labels.empty()) {
    input.server =
        read_server_labels(server_labels, *images, engine->info().dataset, class_count(*engine));
    input.server.resize(static_cast<std::size_t>(count));
  }
  const auto dataset = decoded_ahead(std::move(images), options.model, count);
  const Preprocessing prepare = preprocessing_of(*engine);
  ImageScores scored = score_images(
      *engine, {.dataset = *dataset,
                .prepare = prepare,
                .images = count,
                .batch = 64,
                .threads = options.own_threads ? thread_count(options.model.threads) : 0,
                .progress = progress_of(program, "scoring")});
  input.scores = {.values = std::move(scored.scores), .columns = scored.classes};
  input.labels = labels_of(*dataset, count);
  input.kind = score_kind_of(*engine);
  input.source = options.model.model;
  input.model = engine->info().model;
  return input;
}

std::vector<Feature> parse_features(const std::string& text) {
  std::vector<Feature> features;
  for (const std::string& name : split(text, ',')) {
    features.push_back(naming("--features", [&] { return feature_named(name); }));
  }
  return features;
}

DecisionFitOptions fit_options(const Options& options) {
  constexpr double kMost = 1e12;
  DecisionFitOptions fit;
  fit.rule = naming("--decision", [&] { return score_rule_named(options.decision); });
  fit.calibration = naming("--calibration", [&] { return calibration_named(options.calibration); });
  fit.l2 = parse_number("--l2", options.l2, 0, kMost);
  fit.threshold = parse_number("--threshold", options.threshold, 0, 1);
  if (!options.features.empty()) {
    if (fit.rule != Rule::kLogistic) {
      throw bad_input(
          fmt::format("--features: is for --decision=logistic; {} looks at one", options.decision));
    }
    fit.features = parse_features(options.features);
  }
  return fit;
}

std::string default_out(const Options& options) {
  const std::filesystem::path source =
      options.recorded.scores.empty() ? options.model.model : options.recorded.scores;
  return source.stem().string() + "_decision.json";
}

DecisionFile decision_file(const FitReport& report, const std::string& model) {
  return {.decision = report.fit.decision,
          .classes = static_cast<int>(report.classes),
          .model = model,
          .origin = fmt::format("hedge fit: {} images, {} of their local answers right; {}",
                                report.images, report.right,
                                report.out_of_fold.auc
                                    ? fmt::format("AUC {:.4f} out of {} folds",
                                                  *report.out_of_fold.auc, report.validation.folds)
                                    : "AUC unknown"),
          .fit = fit_summary_json(report)};
}

void write_json(const Program& program, const FitReport& report, const std::string& source,
                const std::string& out) {
  nlohmann::ordered_json json{{"schema", kFitSchema}, {"source", source}, {"decision_file", out}};
  json.update(fit_json(report));
  program.write_json(json);
}

int fit(const Program& program, const Options& options) {
  const DecisionFitOptions how = fit_options(options);
  require_fittable(how, ScoreKind::kLogits);  // Of which every decision can be made.
  const CrossValidation validation{
      .folds = static_cast<int>(parse_count("--folds", options.folds, 2, 1000)),
      .seed = static_cast<std::uint64_t>(
          parse_count("--seed", options.seed, 0, std::numeric_limits<std::int64_t>::max()))};
  const std::string out = options.out.empty() ? default_out(options) : options.out;
  program.check_files({.written = {{"--out", out}, {"--diagram", options.diagram}}});
  ScoredImages input = options.recorded.scores.empty()
                           ? run_model(program, options, how)
                           : read_scored_images(options.recorded, options.model.labels);
  const FitReport report = naming(input.source, [&] {
    const LabelledScores data(input.scores, input.kind, std::move(input.labels));
    return make_fit_report(data, how, validation, input.server);
  });
  for (const std::string& warning : report.warnings) log(LogLevel::kWarning, warning);
  program.print("fitted on  {} ({}, {} classes)\n", input.source,
                input.kind == ScoreKind::kLogits ? "logits" : "softmax scores", report.classes);
  program.print_text(fit_lines(report));
  program.print_text(quality_lines(report));
  program.print_text(reliability_lines(report.out_of_fold));
  write_decision(out, decision_file(report, input.model));
  program.print("written    {}\n", out);
  if (!options.diagram.empty()) {
    write_file(
        options.diagram,
        reliability_svg(report.out_of_fold,
                        fmt::format("Reliability, {}",
                                    std::filesystem::path(input.source).filename().string())));
  }
  write_json(program, report, input.source, out);
  return cancellation_requested() ? kExitCancelled : kExitSuccess;
}

/// Returns the flags that are of no use with --scores.
std::vector<const CLI::Option*> add_run_options(CLI::App& app, Options& options) {
  const std::size_t common = app.get_options().size();
  add_model_options(app, options.model);
  add_gpu_options(app, options.model.gpu);
  add_decode_options(app, options.model);
  app.remove_option(app.get_option("--decode-overlap"));  // Nothing is timed.
  app.get_option("--threads")
      ->description("Threads, each with images of its own (default: one for each CPU)");
  app.get_option("--labels")
      ->description(
          "True classes, one a line: of --scores, or of the images of folder:, npy: or imagenet");
  app.add_option("--iterations", options.iterations,
                 "Images that the model runs on; 0 or all: the whole dataset (default 10000)")
      ->type_name("N");
  return flags_since(app, common);
}

void add_fit_options(CLI::App& app, Options& options) {
  const TextFlags add(app);
  add_scored_images_options(app, options.recorded);
  app.get_option("--scores")
      ->description(
          "In place of --model: recorded scores, .npy or .csv (inference --scores writes them)");
  app.get_option("--server-labels")
      ->description("The server's classes, one a line: the accuracy with it is reported too");
  add("--decision", options.decision,
      "logistic (default), top1; with --calibration=isotonic also margin, entropy, energy", "NAME");
  add("--features", options.features,
      "Of logistic: top1,top2 (default, as the original's), margin, entropy, energy", "LIST");
  add("--l2", options.l2, "Penalty of logistic; 0: none (default 1, scikit-learn's C = 1/L2 = 1)",
      "X");
  add("--threshold", options.threshold, "Keep from this probability on (default 0.5)", "P");
  add("--calibration", options.calibration, "none (default), temperature or isotonic", "NAME");
  add("--folds", options.folds, "Of the cross-validation (default 5)", "K");
  add("--seed", options.seed, "Of the folds (default 1)", "N");
  add("--out", options.out, "Decision file (default: MODEL_decision.json, here)", "FILE");
  add("--diagram", options.diagram, "Draw the reliability diagram, as SVG", "FILE");
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("fit", "Fit the decision to keep or to offload to a model's scores", kExamples);
  Options options;
  CLI::App& app = program.app();
  const auto of_model = add_run_options(app, options);
  add_fit_options(app, options);
  program.add_json_flag("schema hedge.fit/1");
  return program.run(argc, argv, [&] {
    options.own_threads = app.count("--threads") > 0;
    require_one_source(app, of_model, options);
    return fit(program, options);
  });
}
