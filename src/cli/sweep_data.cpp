// SPDX-License-Identifier: Apache-2.0
// What a sweep is made of: scores, classes, decisions.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/text.h"
#include "cli/record_scores.h"
#include "cli/sweep_report.h"
#include "data/label_file.h"
#include "data/scores_file.h"
#include "hedge/error.h"
#include "hi/decision_file.h"
#include "hi/published.h"

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

bool weighs_energy(const Decision& decision) {
  return decision.rule == Rule::kEnergy ||
         std::find(decision.features.begin(), decision.features.end(), Feature::kEnergy) !=
             decision.features.end();
}

NamedDecision read_decision_file(const std::string& path, const SweepData& data) {
  const DecisionFile file = read_decision(path);
  if (file.classes > 0 && file.classes != data.classes) {
    throw bad_input(fmt::format("{}: is for {} classes, {} has scores of {}", path, file.classes,
                                data.source, data.classes));
  }
  const auto rules = score_rules();
  if (std::find(rules.begin(), rules.end(), file.decision.rule) == rules.end()) {
    throw bad_input(
        fmt::format("{}: {} has no threshold to sweep", path, name_of(file.decision.rule)));
  }
  if (weighs_energy(file.decision) && data.kind == ScoreKind::kSoftmax) {
    throw bad_input(fmt::format(
        "{}: looks at the energy, which softmax scores have not; it needs logits", path));
  }
  return {std::filesystem::path(path).stem().string(), file.decision};
}

/// The rules of --decisions; all where it was not given.
std::vector<Rule> stated_rules(const SweepOptions& options) {
  if (options.decisions.empty()) return {score_rules().begin(), score_rules().end()};
  std::vector<Rule> rules;
  for (const std::string& name : split(options.decisions, ',')) {
    const Rule rule = rule_named(name);
    const auto all = score_rules();
    if (std::find(all.begin(), all.end(), rule) == all.end()) {
      throw bad_input(
          fmt::format("--decisions={}: {} has no threshold; it is a bound, always shown",
                      options.decisions, name));
    }
    if (std::find(rules.begin(), rules.end(), rule) == rules.end()) rules.push_back(rule);
  }
  return rules;
}

std::vector<NamedDecision> choose_decisions(const SweepOptions& options, SweepData& data) {
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
    decisions.push_back(read_decision_file(path, data));
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

void rank_all(const SweepOptions& options, const RecordedScores& scores,
              std::span<const int> labels, std::span<const int> server_labels, SweepData& data) {
  std::vector<NamedDecision> decisions = choose_decisions(options, data);
  // Once for each temperature; nearly always that is once.
  std::stable_sort(decisions.begin(), decisions.end(), [](const auto& a, const auto& b) {
    return a.decision.temperature < b.decision.temperature;
  });
  double temperature = 1;
  std::vector<ScoreFeatures> features = features_of(scores, data.kind, temperature);
  data.outcomes = judge_outcomes(features, labels, server_labels);
  for (NamedDecision& each : decisions) {
    if (each.decision.temperature != temperature) {
      temperature = each.decision.temperature;
      features = features_of(scores, data.kind, temperature);
    }
    data.names.push_back(std::move(each.name));
    data.rankings.push_back(rank_images(each.decision, features));
  }
}

SweepData run_model(const Program& program, const SweepOptions& options) {
  // Files that are refused are refused before minutes of inference.
  (void)read_labels(options.server_labels, kMostClasses);
  const ModelScores recorded = record_scores(program, options.model);
  const std::size_t images = recorded.labels.size();
  SweepData data{.images = images,
                 .classes = static_cast<int>(recorded.scores.columns),
                 .source = recorded.model,
                 .model = recorded.name,
                 .run = {recorded.mean_seconds, recorded.input_bytes},
                 .complete = recorded.complete};
  if (images == 0) throw runtime_failure("no image was run");
  std::vector<int> server = read_labels(options.server_labels, data.classes);
  if (server.size() < images || (recorded.complete && server.size() != images)) {
    throw bad_input(
        fmt::format("{}: {} lines for a dataset of {} images; one class a line, in the "
                    "order of the images, is needed",
                    options.server_labels, server.size(), images));
  }
  server.resize(images);
  data.kind_told = options.logits || options.softmax;
  data.kind = options.logits    ? ScoreKind::kLogits
              : options.softmax ? ScoreKind::kSoftmax
                                : score_kind_of(recorded.scores);
  rank_all(options, recorded.scores, recorded.labels, server, data);
  return data;
}

}  // namespace

SweepData read_sweep_data(const Program& program, const SweepOptions& options) {
  if (options.server_labels.empty()) {
    throw bad_input("--server-labels: give the server's classes, one a line for each image");
  }
  if (options.scores.empty() == options.model.model.empty()) {
    throw bad_input("give either --scores=FILE with --labels=FILE, or --model=ENGINE to run here");
  }
  if (!options.model.model.empty()) return run_model(program, options);
  if (options.model.labels.empty()) {
    throw bad_input("--labels: give the true classes, one a line for each row of --scores");
  }
  const RecordedScores scores = read_scores(options.scores);
  SweepData data{.images = scores.rows(),
                 .classes = static_cast<int>(scores.columns),
                 .source = options.scores};
  if (data.classes < 2) {
    throw bad_input(fmt::format("{}: has one score for each image; a decision needs two at least",
                                options.scores));
  }
  const auto labels = read_labels(options.model.labels, data.images, data.classes);
  const auto server = read_labels(options.server_labels, data.images, data.classes);
  data.kind_told = options.logits || options.softmax;
  data.kind = options.logits    ? ScoreKind::kLogits
              : options.softmax ? ScoreKind::kSoftmax
                                : score_kind_of(scores);
  rank_all(options, scores, labels, server, data);
  return data;
}

}  // namespace hedge::cli
