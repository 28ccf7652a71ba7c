// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hi/sweep/cost_model.h"
#include "hi/sweep/sweep.h"
#include "stats/intervals.h"

namespace hedge {

/// What serves the images: hierarchical inference by a decision, or one of the two models alone.
inline constexpr int kAllLocal = -1;
inline constexpr int kAllServer = -2;

/// A way to run the system, and what it does on the images of a sweep. NaN where a cost is unknown.
struct OperatingPoint {
  int decision = kAllLocal;  ///< Index of a ranking, kAllLocal or kAllServer.
  SweepPoint point;
  double accuracy = 0;  ///< 0 to 1.
  double share = 0;     ///< Offloaded, 0 to 1.
  double seconds = 0;   ///< Mean latency of an image.
  double joules = 0;    ///< Mean energy of an image.
};

/// Means as functions of the offload share; absent: unknown.
struct Costs {
  std::optional<LinearCost> seconds;
  std::optional<LinearCost> joules;
};

/// All points of all decisions, all-local and all-server before them. `counted` as of sweep().
[[nodiscard]] std::vector<OperatingPoint> operating_points(
    std::span<const Ranking> rankings, const Outcomes& outcomes, const Costs& costs,
    std::span<const std::uint8_t> counted = {});

enum class Axis : std::uint8_t { kShare, kSeconds, kJoules };
[[nodiscard]] double cost_of(const OperatingPoint& point, Axis axis) noexcept;

/// The points that no other one beats in accuracy and cost at once, by ascending cost and accuracy;
/// of equals the first. Indices into `points`.
[[nodiscard]] std::vector<std::size_t> pareto_front(std::span<const OperatingPoint> points,
                                                    Axis axis);

enum class Objective : std::uint8_t { kAccuracy, kSeconds, kJoules, kShare };

/// What is asked of a point. All bounds that are there hold at once, ends included.
struct Wishes {
  std::optional<double> max_seconds{};
  std::optional<double> max_joules{};
  std::optional<double> max_share{};
  std::optional<double> min_accuracy{};
  Objective objective = Objective::kAccuracy;  ///< Accuracy: the most; of costs the least.
};

/// Index of the best point within the bounds; on a tie the more accurate, then the faster, then the
/// one of less energy, then of fewer offloads, then the first. Nothing where no point meets them.
/// Throws bad_input where a bound or the objective is on a cost that is not known.
[[nodiscard]] std::optional<std::size_t> best_point(std::span<const OperatingPoint> points,
                                                    const Wishes& wishes);

/// The point whose largest excess over a bound, relative to it, is least; ties as best_point.
[[nodiscard]] std::size_t nearest_point(std::span<const OperatingPoint> points,
                                        const Wishes& wishes);

/// What a choice by best_point does on images that it was not made on: K folds, drawn at random;
/// the choice is made on all but one and applied to that one, in turn.
struct HeldOut {
  int folds = 0;
  std::int64_t total = 0;
  std::int64_t correct = 0;
  std::int64_t offloads = 0;
  Interval accuracy_ci95{};  ///< Wilson; takes the folds' choices for one.
  double seconds = 0;        ///< Mean of an image; NaN: unknown.
  double joules = 0;
  int infeasible = 0;          ///< Folds in which no point met the bounds; they took the nearest.
  std::vector<int> choices{};  ///< OperatingPoint::decision of each fold.
};
/// Throws bad_input unless 2 <= folds <= images.
[[nodiscard]] HeldOut cross_validate(std::span<const Ranking> rankings, const Outcomes& outcomes,
                                     const Costs& costs, const Wishes& wishes, int folds,
                                     std::uint64_t seed = 1);

}  // namespace hedge
