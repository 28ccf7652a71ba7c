// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "hi/decide/decision.h"
#include "result/result.h"

namespace hedge {

/// What became of some images, one entry an image in all spans.
struct HiAnswers {
  std::span<const int> labels;
  std::span<const int> local;   ///< Class of the local model; below 0: none, never right.
  std::span<const int> server;  ///< Likewise; that of the images that are kept counts for `all
                                ///< server` only.
  std::span<const std::uint8_t> kept;  ///< 1: the local answer stands, 0: the server's.
};

/// The class that an image ends with.
[[nodiscard]] inline int final_answer(const HiAnswers& answers, std::size_t image) noexcept {
  return answers.kept[image] != 0 ? answers.local[image] : answers.server[image];
}

/// Whether the oracle offloads: the server is right and the local model is not. No decision does
/// better, and none as good offloads less.
[[nodiscard]] inline bool oracle_offloads(int label, int local, int server) noexcept {
  return server == label && local != label;
}

/// Counts, accuracies with Wilson's intervals, confusion, and HI against local alone and server
/// alone (McNemar). Nothing but the counts where there is no image. Throws bad_input where the
/// lengths differ.
[[nodiscard]] HiResult hi_outcome(const HiAnswers& answers);

/// The decision itself, in the schema's form: decision, parameters (of logistic: intercept, then
/// the weights; of random: the share), threshold, temperature.
void describe_decision(const Decision& decision, HiResult& hi);

}  // namespace hedge
