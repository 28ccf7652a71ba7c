// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/decision.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/named_values.h"
#include "base/random.h"
#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::array<std::pair<Rule, std::string_view>, 9> kRules{{{Rule::kLogistic, "logistic"},
                                                                   {Rule::kTop1, "top1"},
                                                                   {Rule::kMargin, "margin"},
                                                                   {Rule::kEntropy, "entropy"},
                                                                   {Rule::kEnergy, "energy"},
                                                                   {Rule::kAlways, "always"},
                                                                   {Rule::kNever, "never"},
                                                                   {Rule::kRandom, "random"},
                                                                   {Rule::kOracle, "oracle"}}};
constexpr std::array<std::pair<Feature, std::string_view>, 5> kFeatures{
    {{Feature::kTop1, "top1"},
     {Feature::kTop2, "top2"},
     {Feature::kMargin, "margin"},
     {Feature::kEntropy, "entropy"},
     {Feature::kEnergy, "energy"}}};

/// Uniform in [0, 1) from the image's number.
double uniform(std::uint64_t seed, std::uint64_t image) noexcept {
  return unit_of(mix_bits(seed * 0x9E3779B97F4A7C15U + (image + 1) * 0xD1342543DE82EF95U));
}

/// hedge sweep writes thresholds 1e-9 beside the first and the last confidence.
constexpr double kBeside = 1e-6;

void require_reachable(const Decision& decision) {
  if (!has_threshold(decision.rule)) return;
  const double threshold = decision.threshold;
  const bool any = decision.rule == Rule::kEnergy;
  const bool nats = decision.rule == Rule::kEntropy;
  const double most = any || nats ? std::numeric_limits<double>::max() : 1 + kBeside;
  const double least = any ? -most : -kBeside;
  if (threshold >= least && threshold <= most) return;
  throw bad_input(fmt::format("'{}' is no threshold of {}{}", threshold, name_of(decision.rule),
                              any    ? ""
                              : nats ? ", which is 0 or more (nats)"
                                     : ", which is between 0 and 1"));
}

void require_pairs(const Decision& decision) {
  if (decision.features.size() == decision.weights.size()) return;
  throw bad_input(fmt::format("{} features, but {} weights", decision.features.size(),
                              decision.weights.size()));
}

}  // namespace

std::string_view name_of(Rule rule) noexcept {
  return name_in(kRules, rule);
}
std::string_view name_of(Feature feature) noexcept {
  return name_in(kFeatures, feature);
}
Rule rule_named(std::string_view name) {
  return value_named(kRules, name, "decision");
}
std::optional<Rule> find_rule(std::string_view name) noexcept {
  return find_named(kRules, name);
}
Feature feature_named(std::string_view name) {
  return value_named(kFeatures, name, "feature");
}

std::span<const Rule> score_rules() noexcept {
  static constexpr std::array kScoreRules{Rule::kLogistic, Rule::kTop1, Rule::kMargin,
                                          Rule::kEntropy, Rule::kEnergy};
  return kScoreRules;
}

bool has_threshold(Rule rule) noexcept {
  const auto rules = score_rules();
  return std::find(rules.begin(), rules.end(), rule) != rules.end();
}

Rule score_rule_named(std::string_view name) {
  const std::optional<Rule> rule = find_rule(name);
  if (rule && has_threshold(*rule)) return *rule;
  std::vector<std::string> names;
  for (const Rule each : score_rules()) names.emplace_back(name_of(each));
  if (rule) throw bad_input(fmt::format("{} has no threshold; {} have", name, join_words(names)));
  throw no_such_name("decision", name, names);
}

double value_of(Feature feature, const ScoreFeatures& features) noexcept {
  switch (feature) {
    case Feature::kTop1:
      return features.top1;
    case Feature::kTop2:
      return features.top2;
    case Feature::kMargin:
      return features.margin();
    case Feature::kEntropy:
      return features.entropy;
    case Feature::kEnergy:
      return features.energy;
  }
  return ScoreFeatures::kNone;
}

double Decision::confidence(const ScoreFeatures& scores) const noexcept {
  switch (rule) {
    case Rule::kLogistic: {
      double logit = intercept;
      for (std::size_t i = 0; i < weights.size(); ++i) {
        logit += weights[i] * value_of(features[i], scores);
      }
      return sigmoid(logit);
    }
    case Rule::kTop1:
      return scores.top1;
    case Rule::kMargin:
      return scores.margin();
    case Rule::kEntropy:
      return -scores.entropy;
    case Rule::kEnergy:
      return -scores.energy;
    default:
      return ScoreFeatures::kNone;
  }
}

double Decision::least_confidence() const noexcept {
  return rule == Rule::kEntropy || rule == Rule::kEnergy ? -threshold : threshold;
}

bool Decision::keep(const ScoreFeatures& scores, std::uint64_t image) const {
  switch (rule) {
    case Rule::kAlways:
      return false;
    case Rule::kNever:
      return true;
    case Rule::kRandom:
      return uniform(seed, image) >= share;
    case Rule::kOracle:
      throw bad_input("oracle: needs the true class; it is a bound, no decision");
    default:
      return confidence(scores) >= least_confidence();
  }
}

void require_sensible(const Decision& decision) {
  require_reachable(decision);
  if (!(decision.share >= 0 && decision.share <= 1)) {
    throw bad_input(fmt::format("'{}' is no share, which is from 0 to 1", decision.share));
  }
  if (!(decision.temperature > 0)) {
    throw bad_input(fmt::format("'{}' is no temperature, which is above 0", decision.temperature));
  }
  require_pairs(decision);
  for (std::size_t i = 0; i < decision.features.size(); ++i) {
    const auto end = decision.features.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(decision.features.begin(), end, *end) == end) continue;
    throw bad_input(fmt::format("feature {} is there twice", name_of(*end)));
  }
}

void require_decidable(const Decision& decision, ScoreKind kind) {
  if (decision.rule == Rule::kOracle) {
    throw bad_input("oracle: needs the true class; it is a bound, no decision");
  }
  require_pairs(decision);
  const bool energy = decision.rule == Rule::kEnergy ||
                      std::find(decision.features.begin(), decision.features.end(),
                                Feature::kEnergy) != decision.features.end();
  if (energy && kind == ScoreKind::kSoftmax) {
    throw bad_input(
        "energy: is computed from logits, and the model ends in softmax, which loses it; take "
        "top1, margin or entropy");
  }
}

double sigmoid(double x) noexcept {
  return 1 / (1 + std::exp(-x));
}

Decision logistic_decision(double beta, double w1, double w2) {
  return {.intercept = beta, .features = {Feature::kTop1, Feature::kTop2}, .weights = {w1, w2}};
}

}  // namespace hedge
