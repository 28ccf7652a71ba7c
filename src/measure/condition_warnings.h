// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "measure/conditions.h"
#include "measure/conditions_watch.h"

namespace hedge {

enum class Severity : std::uint8_t {
  kNote,     ///< Worth knowing.
  kWarning,  ///< The figures may vary more or be slower than they need be.
  kSerious,  ///< They are those of disturbed conditions: a reason to call a result INVALID.
};

struct ConditionWarning {
  Severity severity = Severity::kNote;
  std::string text;  ///< One line: what is so, and what to do about it.
  bool operator==(const ConditionWarning&) const = default;
};

/// What in the conditions makes the figures doubtful, most serious first. Nothing is said of what
/// the system does not tell.
[[nodiscard]] std::vector<ConditionWarning> condition_warnings(
    const Conditions& before, const std::optional<ConditionsRange>& during,
    const Conditions& after);

/// One line for --verbose, "not told by this system: ..."; empty where nothing is missing.
[[nodiscard]] std::string missing_line(const Conditions& conditions);

}  // namespace hedge
