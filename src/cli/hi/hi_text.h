// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "hi/decide/decision_file.h"
#include "result/result.h"

namespace hedge::cli {

// Lines for people about hierarchical inference, each ending in a line end.

/// The rule, where it keeps, its parameters and where they come from.
[[nodiscard]] std::string decision_lines(const DecisionFile& file);
/// Accuracies, offloads, comparisons and confusion.
[[nodiscard]] std::string outcome_lines(const HiResult& hi);
/// Time of a decision.
[[nodiscard]] std::string decision_time_line(const HiResult& hi);
/// "12.0 % offloaded, 97.1 % right; all-local 91.0 %, all-server 98.2 %".
[[nodiscard]] std::string hi_sentence(const HiResult& hi);

}  // namespace hedge::cli
