// SPDX-License-Identifier: Apache-2.0
#include "hi/sweep/operating_point.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <tuple>

#include "base/random.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

double cost_at(const std::optional<LinearCost>& cost, int decision, double share) noexcept {
  if (!cost) return kUnknown;
  if (decision == kAllLocal) return cost->all_local();
  if (decision == kAllServer) return cost->all_server();
  return cost->at(share);
}

struct Counts {
  std::int64_t images = 0;
  std::int64_t local_correct = 0;
  std::int64_t server_correct = 0;
};

Counts count(const Outcomes& outcomes, std::span<const std::uint8_t> counted) {
  if (counted.empty()) {
    return {static_cast<std::int64_t>(outcomes.size()), outcomes.local_correct,
            outcomes.server_correct};
  }
  Counts counts;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (counted[i] == 0) continue;
    ++counts.images;
    counts.local_correct += outcomes.local_right[i];
    counts.server_correct += outcomes.server_right[i];
  }
  return counts;
}

/// Less is better.
double loss(const OperatingPoint& point, Objective objective) noexcept {
  switch (objective) {
    case Objective::kAccuracy:
      return -point.accuracy;
    case Objective::kSeconds:
      return point.seconds;
    case Objective::kJoules:
      return point.joules;
    case Objective::kShare:
      return point.share;
  }
  return kUnknown;
}

double known_or_zero(double value) noexcept {
  return std::isnan(value) ? 0 : value;
}

/// Of two points that do what was asked equally well.
std::tuple<double, double, double, double> tie_break(const OperatingPoint& point) noexcept {
  return {-point.accuracy, known_or_zero(point.seconds), known_or_zero(point.joules), point.share};
}

/// How far the point lies outside the bounds: of the worst one, relative to it; 0 within all.
double excess(const OperatingPoint& point, const Wishes& wishes) noexcept {
  double worst = 0;
  const auto above = [&](const std::optional<double>& bound, double value) {
    if (!bound || value <= *bound) return;
    worst =
        std::max(worst, *bound > 0 ? value / *bound - 1 : std::numeric_limits<double>::infinity());
  };
  above(wishes.max_seconds, point.seconds);
  above(wishes.max_joules, point.joules);
  above(wishes.max_share, point.share);
  // Of the errors: 1 % more than are allowed weighs as 1 % more latency does.
  if (wishes.min_accuracy && point.accuracy < *wishes.min_accuracy) {
    const double allowed = 1 - *wishes.min_accuracy;
    worst = std::max(worst, allowed > 0 ? (1 - point.accuracy) / allowed - 1
                                        : std::numeric_limits<double>::infinity());
  }
  return worst;
}

void require_known(std::span<const OperatingPoint> points, const Wishes& wishes) {
  if (points.empty()) throw bad_input("no points to choose from");
  if (std::isnan(points.front().seconds) &&
      (wishes.max_seconds || wishes.objective == Objective::kSeconds)) {
    throw bad_input("latency is not known: state that of the local model, the network, the server");
  }
  if (std::isnan(points.front().joules) &&
      (wishes.max_joules || wishes.objective == Objective::kJoules)) {
    throw bad_input("energy is not known: state that of the local model");
  }
}

/// The least by (key, tie_break); the first of equals.
template <class Key>
std::size_t least_by(std::span<const OperatingPoint> points, Key&& key) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < points.size(); ++i) {
    const double a = key(points[i]);
    const double b = key(points[best]);
    if (a < b || (a == b && tie_break(points[i]) < tie_break(points[best]))) best = i;
  }
  return best;
}

/// The fold of each image: as many in each, up to one, drawn at random.
std::vector<int> draw_folds(std::size_t images, int folds, std::uint64_t seed) {
  std::vector<int> fold(images);
  for (std::size_t i = 0; i < images; ++i)
    fold[i] = static_cast<int>(i % static_cast<std::size_t>(folds));
  std::mt19937_64 random(seed);  // Its numbers are the standard's.
  shuffle_by(std::span(fold), [&](std::size_t count) { return random() % count; });
  return fold;
}

}  // namespace

std::vector<OperatingPoint> operating_points(std::span<const Ranking> rankings,
                                             const Outcomes& outcomes, const Costs& costs,
                                             std::span<const std::uint8_t> counted) {
  const Counts counts = count(outcomes, counted);
  const auto images = static_cast<double>(counts.images);
  std::vector<OperatingPoint> points;
  const auto add = [&](int decision, const SweepPoint& point) {
    const double share = static_cast<double>(point.offloads) / images;
    points.push_back({.decision = decision,
                      .point = point,
                      .accuracy = static_cast<double>(point.correct) / images,
                      .share = share,
                      .seconds = cost_at(costs.seconds, decision, share),
                      .joules = cost_at(costs.joules, decision, share)});
  };
  add(kAllLocal, {.correct = counts.local_correct});
  add(kAllServer, {.offloads = counts.images, .correct = counts.server_correct});
  for (std::size_t i = 0; i < rankings.size(); ++i) {
    for (const SweepPoint& point : sweep(rankings[i], outcomes, counted)) {
      add(static_cast<int>(i), point);
    }
  }
  return points;
}

double cost_of(const OperatingPoint& point, Axis axis) noexcept {
  switch (axis) {
    case Axis::kShare:
      return point.share;
    case Axis::kSeconds:
      return point.seconds;
    case Axis::kJoules:
      return point.joules;
  }
  return kUnknown;
}

std::vector<std::size_t> pareto_front(std::span<const OperatingPoint> points, Axis axis) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::tuple(cost_of(points[a], axis), -points[a].accuracy, a) <
           std::tuple(cost_of(points[b], axis), -points[b].accuracy, b);
  });
  std::vector<std::size_t> front;
  for (const std::size_t index : order) {
    if (!front.empty() && points[index].accuracy <= points[front.back()].accuracy) continue;
    front.push_back(index);
  }
  return front;
}

std::optional<std::size_t> best_point(std::span<const OperatingPoint> points,
                                      const Wishes& wishes) {
  require_known(points, wishes);
  constexpr double kOutside = std::numeric_limits<double>::infinity();
  const std::size_t best = least_by(points, [&](const OperatingPoint& point) {
    return excess(point, wishes) > 0 ? kOutside : loss(point, wishes.objective);
  });
  if (excess(points[best], wishes) > 0) return std::nullopt;
  return best;
}

std::size_t nearest_point(std::span<const OperatingPoint> points, const Wishes& wishes) {
  require_known(points, wishes);
  return least_by(points, [&](const OperatingPoint& point) { return excess(point, wishes); });
}

HeldOut cross_validate(std::span<const Ranking> rankings, const Outcomes& outcomes,
                       const Costs& costs, const Wishes& wishes, int folds, std::uint64_t seed) {
  if (folds < 2 || static_cast<std::size_t>(folds) > outcomes.size()) {
    throw bad_input(
        fmt::format("{} folds of {} images; 2 at least, and no more than there are images", folds,
                    outcomes.size()));
  }
  HeldOut held{.folds = folds, .total = static_cast<std::int64_t>(outcomes.size())};
  const std::vector<int> fold_of = draw_folds(outcomes.size(), folds, seed);
  std::vector<std::uint8_t> counted(outcomes.size());
  for (int fold = 0; fold < folds; ++fold) {
    for (std::size_t i = 0; i < counted.size(); ++i) counted[i] = fold_of[i] == fold ? 0 : 1;
    const auto points = operating_points(rankings, outcomes, costs, counted);
    const auto best = best_point(points, wishes);
    if (!best) ++held.infeasible;
    const OperatingPoint& choice = points[best ? *best : nearest_point(points, wishes)];
    held.choices.push_back(choice.decision);
    Decision decision;
    if (choice.decision >= 0) {
      decision = rankings[static_cast<std::size_t>(choice.decision)].decision;
      decision.threshold = choice.point.threshold;
    }
    std::int64_t images = 0;
    std::int64_t offloads = 0;
    for (std::size_t i = 0; i < counted.size(); ++i) {
      if (counted[i] != 0) continue;
      const bool keep = choice.decision == kAllLocal ||
                        (choice.decision >= 0 &&
                         rankings[static_cast<std::size_t>(choice.decision)].confidence[i] >=
                             decision.least_confidence());
      ++images;
      offloads += keep ? 0 : 1;
      held.correct += keep ? outcomes.local_right[i] : outcomes.server_right[i];
    }
    const double share = static_cast<double>(offloads) / static_cast<double>(images);
    const double weight = static_cast<double>(images) / static_cast<double>(held.total);
    held.offloads += offloads;
    held.seconds += weight * cost_at(costs.seconds, choice.decision, share);
    held.joules += weight * cost_at(costs.joules, choice.decision, share);
  }
  held.accuracy_ci95 = wilson_interval(held.correct, held.total);
  return held;
}

}  // namespace hedge
