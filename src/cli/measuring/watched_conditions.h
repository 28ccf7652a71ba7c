// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "measure/conditions.h"
#include "measure/conditions_watch.h"
#include "result/result.h"

namespace hedge::cli {

/// The conditions of what is measured between the constructor and finish(). Both take some
/// milliseconds, so they belong before the warm-up and after the last sample.
class WatchedConditions {
 public:
  explicit WatchedConditions(std::chrono::milliseconds period = ConditionsWatch::kDefaultPeriod)
      : before_(snapshot_conditions()), watch_(system_root(), period) {}

  /// Ends the watch, puts conditions and warnings into the result and logs the latter. What is
  /// serious is returned instead: reasons for the verdict. Once.
  [[nodiscard]] std::vector<std::string> finish(Result& result);

 private:
  Conditions before_;
  ConditionsWatch watch_;
};

}  // namespace hedge::cli
