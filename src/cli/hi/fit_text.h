// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "hi/fit/fit_report.h"

namespace hedge::cli {

// Lines for people, ending in a line end.
[[nodiscard]] std::string fit_lines(const FitReport& report);
/// Coefficients with their standard errors; empty without a regression.
[[nodiscard]] std::string coefficient_lines(const FitReport& report);
/// Out of fold, uncalibrated where there is such, in sample.
[[nodiscard]] std::string quality_lines(const FitReport& report);
/// Bin by bin: images, mean probability, share right, and both as a bar.
[[nodiscard]] std::string reliability_lines(const DecisionQuality& quality);

/// The reliability diagram as an SVG picture: share right over mean probability with Wilson's 95 %
/// intervals, the diagonal, and below how many images lie where.
[[nodiscard]] std::string reliability_svg(const DecisionQuality& quality, const std::string& title);

}  // namespace hedge::cli
