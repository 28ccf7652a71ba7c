// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "backends/cuda/plan.h"

namespace hedge::cuda {

struct TunerOptions {
  int level = 3;  ///< 0: nothing is timed; 1 to 5: more tactics, and longer, for each convolution.
  std::filesystem::path timing_cache;  ///< Empty: none.
};

/// Times tactics for each kind of convolution of the plan, alone, as a graph of some repetitions on
/// the GPU at hand. Stops early on cancellation. A kind that the timing cache holds for this GPU is
/// not timed again. Throws bad_input on a timing cache that is not one.
[[nodiscard]] Tactics choose_tactics(const Plan& plan, const TunerOptions& options);

/// Nanoseconds of one convolution among ten in a graph, by each of the tactics: the fastest of so
/// many replays, infinite where it does not run. Fewer than the tactics on cancellation.
[[nodiscard]] std::vector<double> tactic_times(const ConvolutionKind& kind,
                                               std::span<const ConvolutionTactic> tactics,
                                               int replays);

}  // namespace hedge::cuda
