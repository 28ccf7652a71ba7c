// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cli/program/program.h"
#include "measure/recorded_times.h"
#include "stats/ratio.h"

namespace hedge::cli {

/// Whether the name is that of recorded times rather than of a model: it ends in .json or .csv.
[[nodiscard]] bool is_recorded(const std::string& file);

/// "A to B     0.9873 of the time (98 %: 0.9851 to 0.9895)", without a line end.
[[nodiscard]] std::string ratio_text(const RatioEstimate& ratio, const char* of = "time");
/// "A takes less", "B takes less", or why there is no verdict: verdict_apart, of energy.
[[nodiscard]] std::string_view energy_verdict(const RatioEstimate& ratio);
/// As in a result.
[[nodiscard]] nlohmann::ordered_json validity_json(const Validity& validity);
/// What follows a verdict where a measurement behind it is INVALID.
inline constexpr const char* kOnInvalid = " (INVALID measurements)";

/// Two files of recorded times; returns the exit status: kExitInvalid where a file's verdict is
/// INVALID and `strict`.
int compare_files(const Program& program, const std::string& a, const std::string& b,
                  const RecordedChoice& choice, bool strict);

}  // namespace hedge::cli
