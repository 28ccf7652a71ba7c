// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hi/fit/cross_fit.h"
#include "hi/fit/decision_fit.h"

namespace hedge {

inline constexpr const char* kFitSchema = "hedge.fit/1";

/// A fit with all that is to be known of it before it is used.
struct FitReport {
  std::size_t images = 0;
  std::size_t left_out = 0;  ///< Of these, for lack of scores; every decision offloads them.
  std::int64_t right = 0;    ///< Local answers, of all images.
  std::size_t classes = 0;
  ScoreKind kind = ScoreKind::kLogits;
  DecisionFitOptions options{};
  CrossValidation validation{};
  DecisionFit fit{};              ///< On all usable images.
  DecisionQuality out_of_fold{};  ///< What to expect.
  DecisionQuality in_sample{};    ///< Of `fit` on what it was fitted on: too good.
  /// Out of the same folds without calibration; nothing where there is none, or where the rule
  /// alone gives no probability.
  std::optional<DecisionQuality> uncalibrated{};
  std::vector<std::string> warnings{};
};

/// Fits, cross-validates, judges. `server` are its classes of all images, or none. Throws bad_input
/// as fit_decision and cross_fit, and where all answers are right or all wrong.
[[nodiscard]] FitReport make_fit_report(const LabelledScores& data,
                                        const DecisionFitOptions& options,
                                        const CrossValidation& validation,
                                        std::span<const int> server);

/// A coefficient of the regression.
struct Coefficient {
  std::string name;
  double value = 0;
  double error = 0;  ///< Standard error.
  [[nodiscard]] double lower() const noexcept { return value - kNormal95 * error; }
  [[nodiscard]] double upper() const noexcept { return value + kNormal95 * error; }
  static constexpr double kNormal95 = 1.959963984540054;
};
/// The intercept first; none without a regression.
[[nodiscard]] std::vector<Coefficient> coefficients_of(const FitReport& report);

/// Schema hedge.fit/1, but for `schema`.
[[nodiscard]] nlohmann::ordered_json fit_json(const FitReport& report);
/// What a decision file keeps of it: no reliability bins, nothing in sample.
[[nodiscard]] nlohmann::json fit_summary_json(const FitReport& report);

}  // namespace hedge
