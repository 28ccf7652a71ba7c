// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hi/online/online_simulation.h"

namespace hedge {

/// How a synthetic local model changes.
enum class Drift : std::uint8_t {
  kStationary,
  kSudden,     ///< Good for the first half, then bad.
  kGradual,    ///< From good to bad, evenly between the first and the last quarter.
  kRecurring,  ///< Good and bad in turn, 8 parts.
};
/// "stationary", "sudden", ...; throws bad_input with the names that there are.
[[nodiscard]] Drift drift_named(std::string_view name);

/// Images whose truth is known. The confidence p is uniform in [0, 1), or in the middles of
/// `levels` equal parts of it; the local model errs with probability 1 - p (1 - badness):
/// calibrated where badness is 0, so that the best threshold is 1 - offload cost; (1 - offload
/// cost) / (1 - badness) otherwise. The server is always right.
struct SyntheticOptions {
  Drift drift = Drift::kStationary;
  std::size_t images = 20000;
  std::size_t levels = 0;  ///< 0: continuous.
  double offload_cost = 0.3;
  double badness = 0.6;  ///< While the model is bad, 0 to 1.
};
/// keep_loss is the expectation, so that the regret is the pseudo-regret, without the noise of the
/// draws. Deterministic with the seed.
[[nodiscard]] OnlineStream synthetic_stream(const SyntheticOptions& options, std::uint64_t seed);

/// How recorded images come.
enum class OnlineOrder : std::uint8_t {
  kRecorded,
  kShuffled,
  kByClass,  ///< One class after the other, classes and images within them shuffled: drift.
};
/// "recorded", "shuffled", "by-class"; throws bad_input with the names that there are.
[[nodiscard]] OnlineOrder order_named(std::string_view name);

/// The rounds in that order; `classes` are the true classes, one a round.
[[nodiscard]] OnlineStream ordered_stream(std::span<const OnlineRound> rounds,
                                          std::span<const int> classes, OnlineOrder order,
                                          std::uint64_t seed);

}  // namespace hedge
