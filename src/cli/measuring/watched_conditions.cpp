// SPDX-License-Identifier: Apache-2.0
#include "cli/measuring/watched_conditions.h"

#include <optional>

#include "base/log.h"
#include "measure/condition_warnings.h"
#include "measure/conditions_json.h"

namespace hedge::cli {

std::vector<std::string> WatchedConditions::finish(Result& result) {
  const std::optional<ConditionsRange> during = watch_.stop();
  const Conditions after = snapshot_conditions();
  result.conditions = conditions_result(before_, during, after);
  std::vector<std::string> serious;
  for (const ConditionWarning& warning : condition_warnings(before_, during, after)) {
    switch (warning.severity) {
      case Severity::kSerious:
        serious.push_back(warning.text);
        break;
      case Severity::kWarning:
        result.warnings.push_back(warning.text);
        log(LogLevel::kWarning, warning.text);
        break;
      case Severity::kNote:
        log(LogLevel::kDebug, warning.text);
        break;
    }
  }
  if (const std::string missing = missing_line(after); !missing.empty()) {
    log(LogLevel::kDebug, missing);
  }
  return serious;
}

}  // namespace hedge::cli
