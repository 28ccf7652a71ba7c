// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "hi/decide/decision.h"

namespace hedge {

/// A decision as people write it in a flag.
struct StatedDecision {
  Decision decision;
  bool has_threshold = false;  ///< Stated behind the colon.
};

/// Whether it begins with a rule's name, so that it is meant for no file.
[[nodiscard]] bool is_decision_text(const std::string& text);

/// "top1:0.9", "random:0.3" or "random:30%", "never"; also "top1", whose threshold is stated apart.
/// Throws bad_input with the text in quotes: no such rule, no threshold of the rule
/// (require_sensible), random without a share, a threshold of a rule that has none.
[[nodiscard]] StatedDecision parse_decision(const std::string& text);

}  // namespace hedge
