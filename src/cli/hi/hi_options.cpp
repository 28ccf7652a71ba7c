// SPDX-License-Identifier: Apache-2.0
#include "cli/hi/hi_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "base/naming.h"
#include "base/text.h"
#include "cli/program/flags.h"
#include "data/cifar_dataset.h"
#include "data/dataset_names.h"
#include "engine/engine_name.h"
#include "hedge/error.h"
#include "hi/decide/decision_text.h"
#include "hi/decide/published.h"
#include "hi/simulate/local_classifier.h"
#include "hi/simulate/recorded_classifier.h"

namespace hedge::cli {
namespace {

constexpr double kLargestThreshold = 1e9;

/// What --decision says; without it the published logistic regression.
StatedDecision stated_decision(const DecisionOptions& options) {
  if (options.rule.empty()) return {};
  return naming(fmt::format("--decision={}", printable(options.rule, 40)),
                [&] { return parse_decision(options.rule); });
}

const char* kept_where(Rule rule) {
  switch (rule) {
    case Rule::kMargin:
      return "top1 - top2 >= X, 0 to 1";
    case Rule::kEntropy:
      return "entropy <= X nats";
    case Rule::kEnergy:
      return "energy <= X, by the logits' scale";
    default:
      return "top1 >= X, 0 to 1";
  }
}

DecisionFile decision_of_rule(const DecisionOptions& options, const StatedDecision& stated) {
  DecisionFile file;
  file.decision = stated.decision;
  file.origin = fmt::format("--decision={}", options.rule);
  const Rule rule = stated.decision.rule;
  if (has_threshold(rule) && !stated.has_threshold && options.threshold.empty()) {
    throw bad_input(
        fmt::format("--decision={}: needs a threshold, as --decision={}:X or "
                    "--threshold=X; kept is where {}",
                    options.rule, options.rule, kept_where(rule)));
  }
  return file;
}

/// What --decision=logistic and no flag at all mean.
bool takes_published(const DecisionOptions& options, const StatedDecision& stated) {
  return options.file.empty() && stated.decision.rule == Rule::kLogistic;
}

void refuse_conflicts(const DecisionOptions& options, const StatedDecision& stated) {
  if (!options.file.empty() && !options.rule.empty()) {
    throw bad_input(fmt::format("--decision-file={} and --decision={}: give one of them",
                                options.file, options.rule));
  }
  if (stated.has_threshold && !options.threshold.empty()) {
    throw bad_input(fmt::format("--decision={} and --threshold={}: give one threshold",
                                options.rule, options.threshold));
  }
  if (options.original_coefficients && !takes_published(options, stated)) {
    throw bad_input(fmt::format(
        "--original-coefficients and {}: give one of them",
        options.file.empty() ? "--decision=" + options.rule : "--decision-file=" + options.file));
  }
}

void check_fits(const DecisionFile& file, const std::string& name, const Engine& engine) {
  const int classes = class_count(engine);
  if (file.classes > 0 && file.classes != classes) {
    throw bad_input(fmt::format("{}: is for a model of {} classes, {} has {}", name, file.classes,
                                engine.info().model, classes));
  }
  warn_of_other_model(file, name, engine.info().model);
  if (file.decision.rule == Rule::kOracle) return;
  naming(name, [&] { require_decidable(file.decision, score_kind_of(engine)); });
}

}  // namespace

void add_decision_options(CLI::App& app, DecisionOptions& options) {
  app.add_option("--decision-file", options.file,
                 "Decision as hedge fit and hedge sweep write it (default: the coefficients "
                 "published for the model)")
      ->type_name("FILE");
  app.add_option("--decision", options.rule,
                 "top1:X, margin:X, entropy:X, energy:X (or with --threshold), always, never, "
                 "random:SHARE, oracle; logistic: published coefficients, as without the flag")
      ->type_name("RULE[:X]");
  app.add_option("--threshold", options.threshold,
                 "In the rule's unit; of a file and of published coefficients (0.5) in its place")
      ->type_name("X");
  app.add_flag("--original-coefficients", options.original_coefficients,
               "For ImageNet at full precision those of CIFAR-10, as the original does");
}

ScoreKind score_kind_of(const Engine& engine) {
  return engine.info().ends_in_softmax ? ScoreKind::kSoftmax : ScoreKind::kLogits;
}

EngineName trained_name(const EngineInfo& info, const std::string& stated_precision) {
  EngineName name;
  name.model = info.model;
  name.dataset = is_own_dataset(info.dataset) ? info.trained_on : info.dataset;
  if (is_own_dataset(name.dataset)) name.dataset.clear();
  name.precision = stated_precision.empty() ? info.precision : stated_precision;
  return name;
}

void warn_of_other_model(const DecisionFile& file, const std::string& name,
                         const std::string& model) {
  if (file.model.empty() || model.empty() || file.model == model) return;
  log(LogLevel::kWarning,
      fmt::format("{}: was made for {}, the model is {}: its threshold may not suit", name,
                  printable(file.model), printable(model)));
}

DecisionFile choose_decision(const DecisionOptions& options, const Engine& engine,
                             const std::string& stated_precision) {
  const StatedDecision stated = stated_decision(options);
  refuse_conflicts(options, stated);
  DecisionFile file;
  std::string name;
  if (!options.file.empty()) {
    name = options.file;
    file = read_decision(options.file);
    if (file.origin.empty()) file.origin = options.file;
  } else if (takes_published(options, stated)) {
    name = "published coefficients";
    file = published_decision(trained_name(engine.info(), stated_precision),
                              options.original_coefficients);
    if (stated.has_threshold) file.decision.threshold = stated.decision.threshold;
  } else {
    name = fmt::format("--decision={}", options.rule);
    file = decision_of_rule(options, stated);
  }
  if (!options.threshold.empty()) {
    if (!has_threshold(file.decision.rule)) {
      throw bad_input(fmt::format("--threshold={}: {} has none", options.threshold,
                                  hedge::name_of(file.decision.rule)));
    }
    file.decision.threshold =
        parse_number("--threshold", options.threshold, -kLargestThreshold, kLargestThreshold);
    naming(fmt::format("--threshold={}", options.threshold),
           [&] { require_sensible(file.decision); });
  }
  check_fits(file, name, engine);
  return file;
}

void add_server_options(CLI::App& app, ServerOptions& options) {
  app.add_option("--server-labels", options.labels,
                 "The server's answers, one class a line (default: DATASET_predictions.txt in the "
                 "data folder)")
      ->type_name("FILE");
  app.add_option("--server-model", options.model,
                 "Engine or ONNX file that answers as the server, run here on the same images")
      ->type_name("FILE");
  app.add_option("--server-preprocess", options.preprocess,
                 "Recipe of --server-model (default: as the model says)")
      ->type_name("RECIPE");
}

namespace {

/// The classes of a server that was made for other images mean something else, and however many
/// there are, nothing would show it. Who states its recipe knows what it is fed.
void require_same_dataset(const ServerOptions& options, const std::string& server,
                          const std::string& local) {
  if (!options.preprocess.empty() || server.empty() || local.empty() || server == local) return;
  throw bad_input(
      fmt::format("is for dataset {}, the images are those of {}; a server that knows them is "
                  "needed, or, where its classes are the same, --server-preprocess=RECIPE",
                  server, local));
}

std::unique_ptr<Classifier> open_server_model(const ServerOptions& options,
                                              const ModelOptions& local, const Engine& engine) {
  ModelOptions server;
  server.model = options.model;
  server.preprocess = options.preprocess;
  server.preprocess_flag = "--server-preprocess";
  // The same images, whatever the server's name says.
  server.dataset = engine.info().dataset;
  server.data = local.data;
  server.labels = local.labels;
  server.threads = local.threads;
  const std::string images = trained_name(engine.info(), "").dataset;
  return naming(options.model, [&]() -> std::unique_ptr<Classifier> {
    const std::filesystem::path file(options.model);
    const bool is_onnx = to_lower(file.extension().string()) == ".onnx";
    // What is built here is built for the local model's dataset; only its name can contradict.
    if (is_onnx) require_same_dataset(options, parse_engine_name(file).dataset, images);
    const auto opened = open_engine(server);
    const std::string& own = opened->info().trained_on;
    if (!is_onnx && !is_own_dataset(own)) require_same_dataset(options, own, images);
    std::shared_ptr<const Dataset> dataset = open_dataset(*opened, server);
    require_same_classes(*opened, *dataset, server);
    return std::make_unique<LocalClassifier>(opened, std::move(dataset), options.model,
                                             thread_count(server.threads));
  });
}

}  // namespace

std::string find_server_labels(const std::string& dataset, const std::string& data,
                               const std::string& advice) {
  if (is_own_dataset(dataset)) {
    throw bad_input(fmt::format("no answers of a server are known for {}; {}", dataset, advice));
  }
  try {
    return find_data_file(dataset + "_predictions.txt", data).string();
  } catch (const Error& error) {
    throw bad_input(fmt::format("{}; {}", error.what(), advice));
  }
}

std::unique_ptr<Classifier> open_server(const ServerOptions& options, const ModelOptions& local,
                                        const Engine& engine, const Dataset& dataset) {
  if (!options.labels.empty() && !options.model.empty()) {
    throw bad_input(fmt::format("--server-labels={} and --server-model={}: give one of them",
                                options.labels, options.model));
  }
  if (!options.preprocess.empty() && options.model.empty()) {
    throw bad_input("--server-preprocess: is for --server-model");
  }
  if (!options.model.empty()) return open_server_model(options, local, engine);
  const std::string& name = engine.info().dataset;
  const std::string file =
      options.labels.empty()
          ? find_server_labels(
                name, local.data,
                "give the server's answers with --server-labels=FILE, or --server-model=ENGINE")
          : options.labels;
  return std::make_unique<RecordedClassifier>(
      read_recorded_classifier(file, dataset, name, class_count(engine)));
}

}  // namespace hedge::cli
