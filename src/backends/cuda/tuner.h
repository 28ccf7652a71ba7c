// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

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

}  // namespace hedge::cuda
