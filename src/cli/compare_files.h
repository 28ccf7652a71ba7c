// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cli/program.h"
#include "measure/recorded_times.h"
#include "stats/ratio.h"

namespace hedge::cli {

/// Whether the name is that of recorded times rather than of a model: it ends in .json or .csv.
[[nodiscard]] bool is_recorded(const std::string& file);

/// "A to B     0.9873 of the time (98 %: 0.9851 to 0.9895)", without a line end.
[[nodiscard]] std::string ratio_text(const RatioEstimate& ratio, const char* of = "time");
/// "A takes less", "B takes less", "no difference that this data shows": verdict_of, of energy.
[[nodiscard]] std::string_view energy_verdict(const RatioEstimate& ratio);

/// Two files of recorded times; returns the exit status.
int compare_files(const Program& program, const std::string& a, const std::string& b,
                  const RecordedChoice& choice);

}  // namespace hedge::cli
