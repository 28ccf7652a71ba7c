// SPDX-License-Identifier: Apache-2.0
#include "cli/hi_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/naming.h"
#include "base/text.h"
#include "cli/flags.h"
#include "data/cifar_dataset.h"
#include "data/dataset_names.h"
#include "hedge/error.h"
#include "hi/local_classifier.h"
#include "hi/published.h"
#include "hi/recorded_classifier.h"

namespace hedge::cli {
namespace {

constexpr double kLargestThreshold = 1e9;

/// "top1", "random:0.3".
Decision parse_rule(const std::string& text) {
  const std::size_t colon = text.find(':');
  Decision decision;
  decision.rule = naming("--decision", [&] { return rule_named(text.substr(0, colon)); });
  const bool random = decision.rule == Rule::kRandom;
  if (random != (colon != std::string::npos)) {
    throw bad_input(random ? "--decision=random: states no share; give it as random:0.3"
                           : fmt::format("--decision={}: only random takes a share behind a colon",
                                         printable(text, 40)));
  }
  if (random) {
    decision.share = parse_number("--decision=random", text.substr(colon + 1), 0, 1);
  }
  return decision;
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

DecisionFile decision_of_rule(const DecisionOptions& options) {
  DecisionFile file;
  file.decision = parse_rule(options.rule);
  file.origin = fmt::format("--decision={}", options.rule);
  if (has_threshold(file.decision.rule) && options.threshold.empty()) {
    throw bad_input(fmt::format("--decision={}: needs --threshold=X; kept is where {}",
                                options.rule, kept_where(file.decision.rule)));
  }
  return file;
}

EngineName name_of(const EngineInfo& info, const std::string& stated_precision) {
  EngineName name;
  name.model = info.model;
  name.dataset = info.dataset;
  name.precision = stated_precision.empty() ? info.precision : stated_precision;
  return name;
}

/// What --decision=logistic and no flag at all mean.
bool takes_published(const DecisionOptions& options) {
  return options.file.empty() && (options.rule.empty() || options.rule == "logistic");
}

void refuse_conflicts(const DecisionOptions& options) {
  if (!options.file.empty() && !options.rule.empty()) {
    throw bad_input(fmt::format("--decision-file={} and --decision={}: give one of them",
                                options.file, options.rule));
  }
  if (options.original_coefficients && !takes_published(options)) {
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
  if (!file.model.empty() && !engine.info().model.empty() && file.model != engine.info().model) {
    log(LogLevel::kWarning, fmt::format("{}: was made for {}, the model is {}: its threshold may "
                                        "not suit",
                                        name, file.model, engine.info().model));
  }
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
                 "logistic, top1, margin, entropy, energy (with --threshold), always, never, "
                 "random:SHARE, oracle")
      ->type_name("RULE");
  app.add_option("--threshold", options.threshold,
                 "In the rule's unit; of a file and of published coefficients (0.5) in its place")
      ->type_name("X");
  app.add_flag("--original-coefficients", options.original_coefficients,
               "For ImageNet at full precision those of CIFAR-10, as the original does");
}

ScoreKind score_kind_of(const Engine& engine) {
  return engine.info().ends_in_softmax ? ScoreKind::kSoftmax : ScoreKind::kLogits;
}

DecisionFile choose_decision(const DecisionOptions& options, const Engine& engine,
                             const std::string& stated_precision) {
  refuse_conflicts(options);
  DecisionFile file;
  std::string name;
  if (!options.file.empty()) {
    name = options.file;
    file = read_decision(options.file);
    if (file.origin.empty()) file.origin = options.file;
  } else if (takes_published(options)) {
    name = "published coefficients";
    file =
        published_decision(name_of(engine.info(), stated_precision), options.original_coefficients);
  } else {
    name = fmt::format("--decision={}", options.rule);
    file = decision_of_rule(options);
  }
  if (!options.threshold.empty()) {
    if (!has_threshold(file.decision.rule)) {
      throw bad_input(fmt::format("--threshold={}: {} has none", options.threshold,
                                  hedge::name_of(file.decision.rule)));
    }
    file.decision.threshold =
        parse_number("--threshold", options.threshold, -kLargestThreshold, kLargestThreshold);
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

std::unique_ptr<Classifier> open_server_model(const ServerOptions& options,
                                              const ModelOptions& local, const Engine& engine) {
  ModelOptions server;
  server.model = options.model;
  server.preprocess = options.preprocess;
  // The same images, whatever the server's name says.
  server.dataset = engine.info().dataset;
  server.data = local.data;
  server.labels = local.labels;
  server.threads = local.threads;
  return naming(options.model, [&]() -> std::unique_ptr<Classifier> {
    const auto opened = open_engine(server);
    std::shared_ptr<const Dataset> dataset = open_dataset(*opened, server);
    require_same_classes(*opened, *dataset, server);
    return std::make_unique<LocalClassifier>(opened, std::move(dataset), options.model,
                                             thread_count(server.threads));
  });
}

std::string find_answers(const std::string& dataset, const std::string& data) {
  const std::string advice =
      "give the server's answers with --server-labels=FILE, or --server-model=ENGINE";
  if (is_own_dataset(dataset)) {
    throw bad_input(fmt::format("no answers of a server are known for {}; {}", dataset, advice));
  }
  try {
    return find_data_file(dataset + "_predictions.txt", data).string();
  } catch (const Error& error) {
    throw bad_input(fmt::format("{}; {}", error.what(), advice));
  }
}

}  // namespace

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
  const std::string file = options.labels.empty() ? find_answers(name, local.data) : options.labels;
  return std::make_unique<RecordedClassifier>(
      read_recorded_classifier(file, dataset, name, class_count(engine)));
}

}  // namespace hedge::cli
