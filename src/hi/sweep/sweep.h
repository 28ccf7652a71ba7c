// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hi/decide/decision.h"
#include "hi/decide/score_features.h"

namespace hedge {

/// Of each image, whether the local model and the server name its class: 1 or 0.
struct Outcomes {
  std::vector<std::uint8_t> local_right;
  std::vector<std::uint8_t> server_right;
  std::int64_t local_correct = 0;
  std::int64_t server_correct = 0;
  std::int64_t gains = 0;   ///< Server right, local model wrong: what the oracle offloads.
  std::int64_t losses = 0;  ///< Local model right, server wrong: what it never would.
  [[nodiscard]] std::size_t size() const noexcept { return local_right.size(); }
};

/// Throws bad_input where the three are of different length. A class below 0 is never right.
[[nodiscard]] Outcomes judge_outcomes(std::span<const ScoreFeatures> scores,
                                      std::span<const int> labels,
                                      std::span<const int> server_labels);

/// The images in the order in which a decision gives them up as its threshold rises.
struct Ranking {
  Decision decision;                   ///< Its threshold is of no account.
  std::vector<double> confidence;      ///< Of each image, as Decision::confidence.
  std::vector<std::uint32_t> order{};  ///< Images by ascending confidence; NaN first.
};

/// `scores` are those at the decision's temperature. Throws bad_input for rules without confidence.
[[nodiscard]] Ranking rank_images(const Decision& decision, std::span<const ScoreFeatures> scores);

/// One threshold: every image whose confidence lies below is offloaded.
struct SweepPoint {
  double threshold = 0;  ///< In the rule's unit, fit for Decision::threshold.
  std::int64_t offloads = 0;
  std::int64_t correct = 0;  ///< Server right where offloaded, local model right where kept.
};

/// All that a decision can do, by ascending offloads: each distinct confidence has its point, and
/// the last one offloads everything. Images of equal confidence share a fate, and NaN is offloaded
/// by all points. A threshold lies midway between two confidences (1e-9 beside the first and the
/// last), so that it holds where these come out a last bit different. `counted`, unless empty, has
/// a 0 for each image to leave out. Time is linear; nothing but the points is allocated.
[[nodiscard]] std::vector<SweepPoint> sweep(const Ranking& ranking, const Outcomes& outcomes,
                                            std::span<const std::uint8_t> counted = {});

/// Area under accuracy against offload share, 0 to 1: the mean accuracy over all shares, points
/// joined by straight lines (a coin between two thresholds reaches them), from all-local at 0.
[[nodiscard]] double area_under(std::span<const SweepPoint> points, const Outcomes& outcomes);

/// Bounds of any decision. Random: the straight line from all-local to all-server.
[[nodiscard]] double random_accuracy(const Outcomes& outcomes, double share) noexcept;
/// The most that offloading a share of the images can reach: gains first, losses last.
[[nodiscard]] double oracle_accuracy(const Outcomes& outcomes, double share) noexcept;
[[nodiscard]] double random_area(const Outcomes& outcomes) noexcept;
[[nodiscard]] double oracle_area(const Outcomes& outcomes) noexcept;

}  // namespace hedge
