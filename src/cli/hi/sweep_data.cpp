// SPDX-License-Identifier: Apache-2.0
// What a sweep is made of: scores, classes, decisions.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/naming.h"
#include "base/text.h"
#include "cli/hi/record_scores.h"
#include "cli/hi/sweep_report.h"
#include "cli/program/flags.h"
#include "hedge/error.h"
#include "hi/decide/decision_file.h"
#include "hi/decide/published.h"

namespace hedge::cli {
namespace {

struct NamedDecision {
  std::string name;
  Decision decision;
};

/// Published for the model; nothing where there are none.
std::optional<DecisionFile> published_for(const EngineName& name) {
  try {
    return published_decision(name);
  } catch (const Error&) {  // Its message names flags of other programs.
    return std::nullopt;
  }
}

/// "BETA,W1,W2", or the name of a model.
Decision parse_coefficients(const std::string& text, SweepData& data) {
  if (text.find_first_of(",") == std::string::npos) {
    if (const auto published = published_for(parse_engine_name(text))) {
      data.logistic = published->origin;
      return published->decision;
    }
  }
  std::vector<double> numbers;
  for (const std::string& part : split(text, ',')) {
    double value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc{} || end != part.data() + part.size() || !std::isfinite(value)) break;
    numbers.push_back(value);
  }
  if (numbers.size() != 3 || split(text, ',').size() != 3) {
    throw bad_input(
        fmt::format("--coefficients={}: give three numbers, BETA,W1,W2, as -4.53,5.83,-3.60, or a "
                    "model whose are published, as resnet8_cifar_fp32",
                    text));
  }
  return logistic_decision(numbers[0], numbers[1], numbers[2]);
}

/// The rules of --decisions; all where it was not given.
std::vector<Rule> stated_rules(const SweepOptions& options) {
  if (options.decisions.empty()) return {score_rules().begin(), score_rules().end()};
  std::vector<Rule> rules;
  for (const std::string& name : split(options.decisions, ',')) {
    const Rule rule = naming("--decisions", [&] { return score_rule_named(name); });
    if (std::find(rules.begin(), rules.end(), rule) == rules.end()) rules.push_back(rule);
  }
  return rules;
}

std::vector<NamedDecision> choose_decisions(const SweepOptions& options, const ScoredImages& images,
                                            SweepData& data) {
  std::vector<NamedDecision> decisions;
  const bool asked = !options.decisions.empty();
  for (const Rule rule : stated_rules(options)) {
    const std::string name(name_of(rule));
    if (rule == Rule::kLogistic) {
      if (!options.coefficients.empty()) {
        decisions.push_back({name, parse_coefficients(options.coefficients, data)});
      } else if (const auto published = published_for(data.model)) {
        decisions.push_back({name, published->decision});
        data.logistic = published->origin;
      } else if (asked && options.decision_files.empty()) {
        throw bad_input("--decisions: logistic needs --coefficients or --decision-file");
      } else if (options.decision_files.empty()) {
        data.left_out =
            "logistic: no coefficients (--coefficients, or --decision-file of hedge fit)";
      }
      continue;
    }
    if (rule == Rule::kEnergy && data.kind == ScoreKind::kSoftmax) {
      if (asked) throw bad_input("--decisions: energy needs logits; these are softmax scores");
      data.left_out += fmt::format("{}energy: needs logits", data.left_out.empty() ? "" : "; ");
      continue;
    }
    decisions.push_back({name, Decision{.rule = rule}});
  }
  for (const std::string& path : options.decision_files) {
    decisions.push_back(
        {std::filesystem::path(path).stem().string(), read_decision_for(path, images).decision});
  }
  if (decisions.empty()) {
    throw bad_input("no decision to sweep: give --coefficients or --decision-file for logistic");
  }
  return decisions;
}

std::vector<ScoreFeatures> features_of(const RecordedScores& scores, ScoreKind kind,
                                       double temperature) {
  std::vector<ScoreFeatures> features;
  features.reserve(scores.rows());
  for (std::size_t i = 0; i < scores.rows(); ++i) {
    features.push_back(score_features(scores.row(i), kind, temperature));
  }
  return features;
}

/// What is known of the images before their scores are. Throws bad_input where the decisions cannot
/// be had.
std::vector<NamedDecision> decisions_for(const SweepOptions& options, const ScoredImages& images,
                                         SweepData& data) {
  data.classes = images.classes();
  data.kind = images.kind;
  data.kind_told = images.kind_told;
  data.source = images.source;
  return choose_decisions(options, images, data);
}

void rank_all(std::vector<NamedDecision> decisions, const ScoredImages& images, SweepData& data) {
  data.images = images.images();
  // Once for each temperature; nearly always that is once.
  std::stable_sort(decisions.begin(), decisions.end(), [](const auto& a, const auto& b) {
    return a.decision.temperature < b.decision.temperature;
  });
  double temperature = 1;
  std::vector<ScoreFeatures> features = features_of(images.scores, data.kind, temperature);
  data.outcomes = judge_outcomes(features, images.labels, images.server);
  for (NamedDecision& each : decisions) {
    if (each.decision.temperature != temperature) {
      temperature = each.decision.temperature;
      features = features_of(images.scores, data.kind, temperature);
    }
    data.names.push_back(std::move(each.name));
    data.rankings.push_back(rank_images(each.decision, features));
  }
}

void require_folds(int folds, std::size_t images) {
  if (static_cast<std::size_t>(folds) <= images) return;
  throw bad_input(
      fmt::format("--folds={}: more than the {} images; --folds=0 does without", folds, images));
}

SweepData run_model(const Program& program, const SweepOptions& options, int folds) {
  SweepData data;
  std::vector<NamedDecision> decisions;
  const auto before = [&](const ModelScores& known) {
    require_folds(folds, known.images.server.size());
    data.model = known.name;
    decisions = decisions_for(options, known.images, data);
  };
  ModelScores recorded = record_scores(program, options.model, options.iterations,
                                       options.recorded.server_labels, before);
  data.run = {std::move(recorded.run), recorded.input_bytes};
  data.complete = recorded.complete;
  rank_all(std::move(decisions), recorded.images, data);
  return data;
}

}  // namespace

StatedTerms check_sweep_flags(const SweepOptions& options) {
  const ScoredImagesOptions& recorded = options.recorded;
  const bool runs = !options.model.model.empty();
  if (recorded.scores.empty() != runs) {
    throw bad_input("give either --scores=FILE with --labels=FILE, or --model=ENGINE to run here");
  }
  if (runs && (recorded.logits || recorded.softmax)) {
    throw bad_input("--logits, --softmax: say what is in --scores=FILE; the model knows its own");
  }
  if (!runs && recorded.server_labels.empty()) {
    throw bad_input("--server-labels: give the server's classes, one a line for each image");
  }
  (void)parse_iterations(options.iterations, 1);
  (void)stated_rules(options);
  SweepData unused;
  if (!options.coefficients.empty()) (void)parse_coefficients(options.coefficients, unused);
  for (const std::string& path : options.decision_files) (void)read_decision(path);
  return stated_terms(options, {.awaited = runs});
}

SweepData read_sweep_data(const Program& program, const SweepOptions& options, int folds) {
  if (!options.model.model.empty()) return run_model(program, options, folds);
  const ScoredImages images = read_scored_images(options.recorded, options.model.labels);
  require_folds(folds, images.images());
  SweepData data;
  rank_all(decisions_for(options, images, data), images, data);
  return data;
}

}  // namespace hedge::cli
