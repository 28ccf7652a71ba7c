// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hi/decide/score_features.h"

namespace hedge {

/// What a rule or a logistic regression may weigh.
enum class Feature : std::uint8_t { kTop1, kTop2, kMargin, kEntropy, kEnergy };

/// How the local answer is judged. The first five look at the scores; the rest are bounds.
enum class Rule : std::uint8_t {
  kLogistic,  ///< Logistic regression on features; the original's on top1 and top2.
  kTop1,      ///< Keep where top1 >= threshold.
  kMargin,    ///< Keep where top1 - top2 >= threshold.
  kEntropy,   ///< Keep where entropy <= threshold, nats.
  kEnergy,    ///< Keep where energy <= threshold; logits only.
  kAlways,    ///< Offload every image.
  kNever,     ///< Keep every answer.
  kRandom,    ///< Offload a share of the images, whatever their scores.
  kOracle,    ///< Offload where the server is right and the local model wrong: a bound.
};

/// "logistic", "top1", ...; of the features likewise.
[[nodiscard]] std::string_view name_of(Rule rule) noexcept;
[[nodiscard]] std::string_view name_of(Feature feature) noexcept;
/// Throws bad_input with the names that there are.
[[nodiscard]] Rule rule_named(std::string_view name);
[[nodiscard]] Feature feature_named(std::string_view name);
[[nodiscard]] std::optional<Rule> find_rule(std::string_view name) noexcept;
/// The rules that look at scores and have a threshold.
[[nodiscard]] std::span<const Rule> score_rules() noexcept;
[[nodiscard]] bool has_threshold(Rule rule) noexcept;
/// One of score_rules(). Throws bad_input that names these alone.
[[nodiscard]] Rule score_rule_named(std::string_view name);

[[nodiscard]] double value_of(Feature feature, const ScoreFeatures& features) noexcept;

/// Whether an image's local answer is kept. A value; what it says depends on the scores alone
/// (random: on the image's number).
struct Decision {
  Rule rule = Rule::kLogistic;
  /// In the rule's own unit: of logistic the probability of a right answer.
  double threshold = 0.5;
  /// Softmax is that of logits / temperature.
  double temperature = 1;
  // Of kLogistic: p = sigmoid(intercept + sum of weight * feature).
  double intercept = 0;
  std::vector<Feature> features{};
  std::vector<double> weights{};
  // Of kRandom.
  double share = 0.5;  ///< Of images that are offloaded, 0 to 1.
  std::uint64_t seed = 1;

  bool operator==(const Decision&) const = default;

  /// How sure the local answer is, in the rule's unit and such that more is surer: probability,
  /// top1, margin, -entropy, -energy. NaN where the scores are no numbers, and for rules that have
  /// none.
  [[nodiscard]] double confidence(const ScoreFeatures& scores) const noexcept;
  /// What confidence() must reach: threshold with confidence()'s sign.
  [[nodiscard]] double least_confidence() const noexcept;
  /// Keep where confidence reaches it; NaN is never trusted. Not of kOracle (throws bad_input),
  /// which needs labels. `image` is the number of the image, for kRandom.
  [[nodiscard]] bool keep(const ScoreFeatures& scores, std::uint64_t image = 0) const;
};

/// Throws bad_input where nobody can have meant it: a threshold beyond what the rule's scores reach
/// (probability, top1 and margin 0 to 1, entropy 0 or more; a sweep's thresholds just beside its
/// first and last confidence pass), a share outside 0 to 1, a temperature that is not above 0, a
/// feature that is there twice, features and weights that do not pair.
void require_sensible(const Decision& decision);

/// Throws bad_input where a decision cannot judge such scores: energy, as the rule or a feature,
/// without logits; the oracle; features and weights that do not pair.
void require_decidable(const Decision& decision, ScoreKind kind);

[[nodiscard]] double sigmoid(double x) noexcept;

/// A logistic regression on top1 and top2, as the original's.
[[nodiscard]] Decision logistic_decision(double beta, double w1, double w2);

}  // namespace hedge
