// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "energy/power_csv.h"
#include "measure/metered_run.h"

namespace hedge {

/// What an external meter logged, on the clock of a run.
struct JoinedRecording {
  RailTrace trace;
  std::vector<std::string> notes;  ///< How they were joined.
};

/// Joins them by the markers where the run drew some, else by the time of day. `name` is the
/// file's. Throws bad_input: relative times and no marker, a marker that is not found
/// (find_marker), or a recording that does not reach over the load (clocks that disagree?).
[[nodiscard]] JoinedRecording join_recording(const PowerRecording& recording, const MeteredRun& run,
                                             const std::string& name);

}  // namespace hedge
