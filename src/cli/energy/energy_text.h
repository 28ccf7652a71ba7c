// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "result/result.h"

namespace hedge::cli {

/// Joules with four digits: "12.35 mJ", "431 uJ".
[[nodiscard]] std::string fine_joules_text(double joules);
/// "an inference", "a decision".
[[nodiscard]] std::string one_of(const std::string& unit);

// Lines for people, ending in a line end.
/// Gross, net, mean and idle power, with their intervals.
[[nodiscard]] std::string energy_lines(const EnergyResult& energy, const std::string& unit);
/// The meter, its samples, what its intervals leave out, and its rails where there are several.
[[nodiscard]] std::string meter_lines(const EnergyResult& energy);

}  // namespace hedge::cli
