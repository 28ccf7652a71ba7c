// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "hi/online/online_simulation.h"

namespace hedge::cli {

struct RegretCurve {
  std::string name;
  const OnlineSummary* summary;  ///< Not null; outlives the call.
};

/// The curves with their intervals as one SVG picture, axes linear: images against regret. At least
/// one curve.
[[nodiscard]] std::string regret_plot(const std::vector<RegretCurve>& curves);

}  // namespace hedge::cli
