// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "hi/online/online.h"
#include "stats/intervals.h"

namespace hedge {

/// One image of a simulation, of which everything is known.
struct OnlineRound {
  double confidence = 0;
  double keep_loss = 0;     ///< What keeping the answer costs: 0 or 1, or its true expectation.
  double offload_loss = 0;  ///< What offloading costs, the server's error included.
  bool local_right = true;
  bool server_right = true;
  bool agree = true;  ///< Both give the same class.
};

/// What a policy is told of an offloaded image.
enum class OnlineFeedback : std::uint8_t {
  kServer,  ///< Whether the server agrees: it is taken to be right, as by a client in the field.
  kLabels,  ///< Which of the two is right.
};

struct BestThreshold {
  double threshold = 0;  ///< Keep from it on; +infinity: offload all.
  double cost = 0;
};
/// The fixed threshold that would have cost least, by all losses. NaN is offloaded. O(n log n).
/// Nothing of no rounds.
[[nodiscard]] BestThreshold best_fixed_threshold(std::span<const OnlineRound> rounds);

/// The least cost of a fixed threshold over the first n rounds, for each n of `checkpoints`, which
/// ascend.
[[nodiscard]] std::vector<double> best_costs(std::span<const OnlineRound> rounds,
                                             std::span<const std::size_t> checkpoints);

/// `points` ascending numbers up to `images`, each about the same factor above the last.
[[nodiscard]] std::vector<std::size_t> log_checkpoints(std::size_t images, std::size_t points);

/// What a policy did on a sequence.
struct OnlineRun {
  std::vector<double> cost;  ///< After each checkpoint, by the losses of the rounds.
  std::size_t offloads = 0;
  std::size_t right = 0;  ///< Final answers.
  double threshold = 0;   ///< At the end.
};
[[nodiscard]] OnlineRun play(OnlinePolicy policy, std::span<const OnlineRound> rounds,
                             OnlineFeedback feedback, std::span<const std::size_t> checkpoints);

/// A sequence and where it changes.
struct OnlineStream {
  std::vector<OnlineRound> rounds;
  std::vector<std::size_t> segments{};  ///< First rounds of its parts, the first is 0; empty: one.
};

/// A mean over repetitions. No interval of one repetition, nor where all are equal.
struct OnlineMean {
  double mean = 0;
  std::optional<Interval> ci95{};
};
[[nodiscard]] OnlineMean mean_over(std::span<const double> values);

/// Over repetitions of one policy, each with its own stream and seed.
struct OnlineSummary {
  std::size_t images = 0;
  std::size_t repetitions = 0;
  OnlineMean cost{};            ///< Of an image.
  OnlineMean accuracy{};        ///< Of the final answers, 0 to 1.
  OnlineMean offload_share{};   ///< 0 to 1.
  OnlineMean regret{};          ///< Against the best fixed threshold in hindsight, all images.
  OnlineMean against_always{};  ///< Cost above that of offloading everything.
  OnlineMean against_never{};   ///< Cost above that of keeping everything.
  std::optional<OnlineMean> tracking{};  ///< Against the best threshold of each segment.
  double threshold = 0;                  ///< Median at the end.
  std::vector<std::size_t> checkpoints{};
  std::vector<OnlineMean> curve{};  ///< Regret over the first n rounds, of each checkpoint.
  std::optional<double> growth{};   ///< growth_exponent of the curve.
};

/// Exponent g of regret ~ t^g: the slope of least squares of log regret against log t over the last
/// factor of 16 of t. Nothing where a regret there is not above 0 or there are fewer than 3 points.
[[nodiscard]] std::optional<double> growth_exponent(std::span<const std::size_t> images,
                                                    std::span<const double> regret);

/// Makes a policy for a repetition and its stream (which a bound may look at).
using PolicyMaker = std::function<OnlinePolicy(std::size_t repetition, const OnlineStream& stream)>;

/// Runs a policy of each maker on `stream_of(r)` for r = 0..repetitions-1, until `stop` says so
/// (asked before each but the first). Streams have the same length. One summary a maker. Throws
/// bad_input: an empty stream.
[[nodiscard]] std::vector<OnlineSummary> repeat_online(
    const std::function<OnlineStream(std::size_t)>& stream_of, std::span<const PolicyMaker> makers,
    OnlineFeedback feedback, std::size_t repetitions,
    const std::function<bool()>& stop = [] { return false; });

}  // namespace hedge
