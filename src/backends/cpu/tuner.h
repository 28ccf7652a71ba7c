// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "backends/cpu/plan.h"
#include "graph/graph.h"

namespace hedge::cpu {

struct TunerOptions {
  PlanOptions plan;
  int level = 3;  ///< 0: nothing is timed; 1 to 5: more and more runs for each tactic.
  std::filesystem::path timing_cache;  ///< Empty: none.
};

/// Chooses an implementation for each kind of convolution by timing the whole net with each in
/// turn: what a layout costs its neighbours in reorders is then in the figure. Stops early on
/// cancellation. A net that the timing cache holds for this machine, library and precision is not
/// timed again. Throws bad_input on a timing cache that is not one.
[[nodiscard]] Tactics choose_tactics(const Graph& graph, const TunerOptions& options);

}  // namespace hedge::cpu
