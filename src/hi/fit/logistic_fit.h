// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "stats/calibration_metrics.h"

namespace hedge {

struct LogisticFitOptions {
  double l2 = 1;             ///< Of the penalty; 0: none. scikit-learn's C is 1 / l2.
  double tolerance = 1e-12;  ///< Of the last step, relative, in units of each feature's spread.
  int max_iterations = 100;
};

/// n samples of k features, one sample after the other, k doubles each.
struct Samples {
  std::span<const double> values;
  std::span<const Outcome> outcomes;  ///< n
  std::vector<std::string> names;     ///< k, for messages.
};

struct LogisticFit {
  double intercept = 0;
  std::vector<double> weights;  ///< One a feature.
  /// Square roots of the diagonal of the inverse of the objective's second derivative at the
  /// minimum: without penalty the usual ones, with it those of the posterior whose prior it is.
  double intercept_error = 0;
  std::vector<double> weight_errors;
  double objective = 0;  ///< At the minimum.
  int iterations = 0;
  std::vector<std::string> warnings{};  ///< One line each.
};

/// Logistic regression: minimises
///     sum over samples of ln(1 + exp(-s (intercept + weights . x))) + l2 / 2 |weights|^2
/// with s = 1 where the event came, else -1. The intercept has no penalty. Iteratively reweighted
/// least squares, which is Newton's method (Hastie, Tibshirani and Friedman, The Elements of
/// Statistical Learning, 4.4.1), with step halving; the features are centred and scaled inside,
/// which leaves the objective what it is.
///
/// Throws bad_input, in one line with what to do: sizes that do not fit, a value that is no finite
/// number, an l2 below 0, outcomes all the same (the intercept is infinite, penalty or not).
/// Without penalty also features that hang together linearly, and outcomes that a threshold on some
/// weighting of the features separates, perfectly or but for ties: no finite minimum (Albert and
/// Anderson, Biometrika 71, 1984). With it these are warnings. Throws runtime_failure where
/// max_iterations do not suffice.
[[nodiscard]] LogisticFit fit_logistic(const Samples& samples, const LogisticFitOptions& options);

}  // namespace hedge
