// SPDX-License-Identifier: Apache-2.0
#include "hi/sweep/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "hedge/error.h"

namespace hedge {
namespace {

/// Beside the least and the largest confidence there is no neighbour to keep half way from.
constexpr double kBeside = 1e-9;

double beside(double confidence, double direction) noexcept {
  return confidence + direction * kBeside * std::max(1.0, std::abs(confidence));
}

/// Above `low`, at most `high`; midway where doubles allow.
double between(double low, double high) noexcept {
  const double middle = low + (high - low) / 2;
  return middle > low ? middle : high;
}

double threshold_of(const Decision& decision, double least_confidence) noexcept {
  Decision unit = decision;
  unit.threshold = least_confidence;
  return unit.least_confidence() + 0.0;  // Its sign is the rule's, either way; and 0, not -0.
}

double fraction(std::int64_t part, std::size_t whole) noexcept {
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

Outcomes judge_outcomes(std::span<const ScoreFeatures> scores, std::span<const int> labels,
                        std::span<const int> server_labels) {
  if (scores.size() != labels.size() || scores.size() != server_labels.size()) {
    throw bad_input(
        fmt::format("scores of {} images, {} labels and {} answers of the server; one "
                    "of each is needed for each image",
                    scores.size(), labels.size(), server_labels.size()));
  }
  Outcomes outcomes;
  outcomes.local_right.reserve(scores.size());
  outcomes.server_right.reserve(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const bool local = labels[i] >= 0 && scores[i].predicted == labels[i];
    const bool server = labels[i] >= 0 && server_labels[i] == labels[i];
    outcomes.local_right.push_back(local ? 1 : 0);
    outcomes.server_right.push_back(server ? 1 : 0);
    outcomes.local_correct += local ? 1 : 0;
    outcomes.server_correct += server ? 1 : 0;
    outcomes.gains += server && !local ? 1 : 0;
    outcomes.losses += local && !server ? 1 : 0;
  }
  return outcomes;
}

Ranking rank_images(const Decision& decision, std::span<const ScoreFeatures> scores) {
  const auto rules = score_rules();
  if (std::find(rules.begin(), rules.end(), decision.rule) == rules.end()) {
    throw bad_input(fmt::format("{}: has no threshold to sweep", name_of(decision.rule)));
  }
  if (scores.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw bad_input(fmt::format("{} images are more than a sweep takes", scores.size()));
  }
  Ranking ranking{.decision = decision, .confidence = std::vector<double>(scores.size())};
  std::vector<std::pair<double, std::uint32_t>> keys(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double confidence = decision.confidence(scores[i]);
    ranking.confidence[i] = confidence;
    // NaN has no order: it goes below everything.
    keys[i] = {std::isnan(confidence) ? -std::numeric_limits<double>::infinity() : confidence,
               static_cast<std::uint32_t>(i)};
  }
  std::sort(keys.begin(), keys.end());
  ranking.order.reserve(keys.size());
  for (const auto& [key, image] : keys) ranking.order.push_back(image);
  return ranking;
}

std::vector<SweepPoint> sweep(const Ranking& ranking, const Outcomes& outcomes,
                              std::span<const std::uint8_t> counted) {
  const auto counts = [&](std::uint32_t image) { return counted.empty() || counted[image] != 0; };
  std::vector<SweepPoint> points;
  points.reserve(ranking.order.size() + 1);
  SweepPoint point;  // With nothing offloaded.
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (counts(static_cast<std::uint32_t>(i))) point.correct += outcomes.local_right[i];
  }
  double last = std::numeric_limits<double>::quiet_NaN();  // Confidence of the image before.
  for (const std::uint32_t image : ranking.order) {
    if (!counts(image)) continue;
    const double confidence = ranking.confidence[image];
    if (!std::isnan(confidence) && confidence != last) {
      const double least = std::isnan(last) ? beside(confidence, -1) : between(last, confidence);
      point.threshold = threshold_of(ranking.decision, least);
      points.push_back(point);
      last = confidence;
    }
    ++point.offloads;
    point.correct += outcomes.server_right[image] - outcomes.local_right[image];
  }
  const double above = std::isnan(last) ? 0 : beside(last, 1);
  point.threshold = threshold_of(ranking.decision, above);
  points.push_back(point);
  return points;
}

double area_under(std::span<const SweepPoint> points, const Outcomes& outcomes) {
  // In images: exact until the two divisions at the end.
  double twice = 0;
  std::int64_t offloads = 0;
  std::int64_t correct = outcomes.local_correct;
  for (const SweepPoint& point : points) {
    twice += static_cast<double>(point.offloads - offloads) *
             static_cast<double>(point.correct + correct);
    offloads = point.offloads;
    correct = point.correct;
  }
  const auto images = static_cast<double>(outcomes.size());
  return twice / 2 / images / images;
}

double random_accuracy(const Outcomes& outcomes, double share) noexcept {
  return (1 - share) * fraction(outcomes.local_correct, outcomes.size()) +
         share * fraction(outcomes.server_correct, outcomes.size());
}

double oracle_accuracy(const Outcomes& outcomes, double share) noexcept {
  const double gained = std::min(share, fraction(outcomes.gains, outcomes.size()));
  const double lost = std::max(0.0, share - 1 + fraction(outcomes.losses, outcomes.size()));
  return fraction(outcomes.local_correct, outcomes.size()) + gained - lost;
}

double random_area(const Outcomes& outcomes) noexcept {
  return random_accuracy(outcomes, 0.5);
}

double oracle_area(const Outcomes& outcomes) noexcept {
  const double gains = fraction(outcomes.gains, outcomes.size());
  const double losses = fraction(outcomes.losses, outcomes.size());
  return fraction(outcomes.local_correct, outcomes.size()) + gains - gains * gains / 2 -
         losses * losses / 2;
}

}  // namespace hedge
