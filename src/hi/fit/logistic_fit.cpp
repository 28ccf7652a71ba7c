// SPDX-License-Identifier: Apache-2.0
#include "hi/fit/logistic_fit.h"

#include <fmt/format.h>

#define EIGEN_MPL2_ONLY
#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

/// Of a correlation matrix, whose eigenvalues add up to the number of features, and of the second
/// derivative: what is smaller beside the largest is rounding.
constexpr double kSingular = 1e-10;

/// The samples with each feature centred and divided by its spread, a column of ones in front.
struct Problem {
  MatrixXd design;
  VectorXd outcomes;
  VectorXd means;
  VectorXd spreads;
  VectorXd penalty;  ///< On the scaled weights; 0 for the intercept.
};

/// Where the minimisation stands.
struct Point {
  VectorXd coefficients;
  VectorXd logits;
  double objective = 0;
};

void require_sane(const Samples& samples, const LogisticFitOptions& options) {
  const std::size_t n = samples.outcomes.size();
  const std::size_t k = samples.names.size();
  if (samples.values.size() != n * k) {
    throw bad_input(fmt::format("{} values are not those of {} samples with {} features each",
                                samples.values.size(), n, k));
  }
  if (!(options.l2 >= 0) || !std::isfinite(options.l2)) {
    throw bad_input(fmt::format("the L2 penalty is {}; it is a number from 0", options.l2));
  }
  for (std::size_t i = 0; i < samples.values.size(); ++i) {
    if (std::isfinite(samples.values[i])) continue;
    throw bad_input(
        fmt::format("feature {} of sample {} is no finite number", samples.names[i % k], i / k));
  }
  const auto came = std::count_if(samples.outcomes.begin(), samples.outcomes.end(),
                                  [](Outcome outcome) { return outcome != 0; });
  if (came != 0 && came != static_cast<std::ptrdiff_t>(n)) return;
  throw bad_input(
      n == 0 ? std::string("no samples to fit on")
             : fmt::format("all {} outcomes are {}: there is nothing to tell apart, and the "
                           "intercept would be infinite whatever the penalty",
                           n, came == 0 ? "0" : "1"));
}

Problem make_problem(const Samples& samples, double l2) {
  const auto n = static_cast<Index>(samples.outcomes.size());
  const auto k = static_cast<Index>(samples.names.size());
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const RowMajor> values(samples.values.data(), n, k);
  Problem problem{.design = MatrixXd::Ones(n, k + 1),
                  .outcomes = VectorXd(n),
                  .means = values.colwise().mean(),
                  .spreads = VectorXd::Ones(k),
                  .penalty = VectorXd::Zero(k + 1)};
  for (Index i = 0; i < n; ++i) {
    problem.outcomes[i] = samples.outcomes[static_cast<std::size_t>(i)] != 0 ? 1 : 0;
  }
  for (Index j = 0; j < k; ++j) {
    auto column = problem.design.col(j + 1);
    column = values.col(j).array() - problem.means[j];
    const double spread = std::sqrt(column.squaredNorm() / static_cast<double>(n));
    if (spread > 1e-12 * std::abs(problem.means[j])) {
      problem.spreads[j] = spread;
      column /= spread;
    } else {
      column.setZero();  // The same for all but for rounding.
    }
    problem.penalty[j + 1] = l2 / (problem.spreads[j] * problem.spreads[j]);
  }
  return problem;
}

/// Which features can be had from the others and a constant, as a phrase; empty where none can.
std::string dependence(const Problem& problem, const std::vector<std::string>& names) {
  const Index k = problem.means.size();
  if (k == 0) return {};
  const auto features = problem.design.rightCols(k);
  const MatrixXd correlation =
      features.transpose() * features / static_cast<double>(problem.design.rows());
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(correlation);
  if (solver.eigenvalues()[0] > kSingular) return {};
  std::vector<std::string> involved;
  for (Index j = 0; j < k; ++j) {
    if (std::abs(solver.eigenvectors()(j, 0)) > 1e-3) {
      involved.push_back(names[static_cast<std::size_t>(j)]);
    }
  }
  return involved.size() == 1
             ? fmt::format("feature {} is the same in every sample", involved.front())
             : fmt::format("features {} hang together linearly", join_words(involved));
}

Point at(const Problem& problem, VectorXd coefficients) {
  Point point{.coefficients = std::move(coefficients), .logits = {}};
  point.logits.noalias() = problem.design * point.coefficients;
  double loss = 0;
  for (Index i = 0; i < point.logits.size(); ++i) {
    const double logit = point.logits[i];
    const double against = problem.outcomes[i] > 0 ? -logit : logit;
    loss += std::log1p(std::exp(-std::abs(logit))) + std::max(against, 0.0);
  }
  point.objective =
      loss + 0.5 * problem.penalty.dot(point.coefficients.cwiseProduct(point.coefficients));
  return point;
}

/// Whether a threshold on the logits separates the outcomes, a tie at it aside.
bool separates(const Problem& problem, const VectorXd& logits) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double least_with = kInfinity;
  double most_without = -kInfinity;
  for (Index i = 0; i < logits.size(); ++i) {
    if (problem.outcomes[i] > 0) {
      least_with = std::min(least_with, logits[i]);
    } else {
      most_without = std::max(most_without, logits[i]);
    }
  }
  return least_with >= most_without && logits.maxCoeff() > logits.minCoeff();
}

[[noreturn]] void refuse_separation(const std::vector<std::string>& names) {
  throw bad_input(
      fmt::format("{} separate right from wrong perfectly (or but for ties), so that without "
                  "penalty no coefficients are the best: they grow for ever; state a penalty, or "
                  "use more samples",
                  join_words(names)));
}

struct Derivatives {
  VectorXd gradient;
  MatrixXd hessian;
};

Derivatives derivatives(const Problem& problem, const Point& point) {
  VectorXd residuals(point.logits.size());
  VectorXd weights(point.logits.size());
  for (Index i = 0; i < point.logits.size(); ++i) {
    const double e = std::exp(-std::abs(point.logits[i]));
    const double p = (point.logits[i] >= 0 ? 1 : e) / (1 + e);
    residuals[i] = p - problem.outcomes[i];
    weights[i] = e / ((1 + e) * (1 + e));
  }
  Derivatives result;
  result.gradient = problem.design.transpose() * residuals;
  result.gradient += problem.penalty.cwiseProduct(point.coefficients);
  result.hessian = problem.design.transpose() * (weights.asDiagonal() * problem.design);
  result.hessian.diagonal() += problem.penalty;
  return result;
}

bool nearly_singular(const MatrixXd& hessian) {
  const VectorXd values =
      Eigen::SelfAdjointEigenSolver<MatrixXd>(hessian, Eigen::EigenvaluesOnly).eigenvalues();
  return !(values[0] > kSingular * values[values.size() - 1]);
}

/// Halved until the objective is no larger, rounding aside.
Point step_from(const Problem& problem, const Point& from, VectorXd& step) {
  constexpr int kMostHalvings = 60;
  const double allowed = from.objective + 1e-13 * (1 + std::abs(from.objective));
  for (int halving = 0; halving < kMostHalvings; ++halving) {
    Point next = at(problem, from.coefficients + step);
    if (next.objective <= allowed) return next;  // False for NaN.
    step /= 2;
  }
  step.setZero();
  return from;
}

/// Newton's method from the weights 0. Nothing where there is no penalty and the samples prove to
/// be separable.
std::optional<Point> minimise(const Problem& problem, const LogisticFitOptions& options,
                              int& iterations) {
  const bool free = problem.penalty.isZero(0);
  const double share = problem.outcomes.mean();
  VectorXd start = VectorXd::Zero(problem.design.cols());
  start[0] = std::log(share / (1 - share));
  Point point = at(problem, std::move(start));
  bool was_level = false;
  for (iterations = 1; iterations <= options.max_iterations; ++iterations) {
    const Derivatives slope = derivatives(problem, point);
    if (free && nearly_singular(slope.hessian)) return std::nullopt;
    VectorXd step = slope.hessian.ldlt().solve(-slope.gradient);
    const double gain = -slope.gradient.dot(step) / 2;
    point = step_from(problem, point, step);
    if (free && separates(problem, point.logits)) return std::nullopt;
    const VectorXd scale = point.coefficients.cwiseAbs().cwiseMax(1.0);
    if (step.cwiseAbs().cwiseQuotient(scale).maxCoeff() <= options.tolerance) return point;
    // A gain that rounding hides twice: the second of these steps was exact as far as it can be.
    const bool level = gain <= std::numeric_limits<double>::epsilon() * (1 + point.objective);
    if (level && was_level) return point;
    was_level = level;
  }
  throw runtime_failure(
      fmt::format("logistic regression: not converged after {} iterations; a larger penalty makes "
                  "it easier",
                  options.max_iterations));
}

/// Whether there is no minimum without penalty: what Newton's method then runs into. Of features
/// that do not hang together.
bool is_separable(Problem problem, const LogisticFitOptions& options) {
  problem.penalty.setZero();
  int iterations = 0;
  try {
    return !minimise(problem, options, iterations);
  } catch (const Error&) {  // Not converged: they grow and grow.
    return true;
  }
}

}  // namespace

LogisticFit fit_logistic(const Samples& samples, const LogisticFitOptions& options) {
  require_sane(samples, options);
  const Problem problem = make_problem(samples, options.l2);
  LogisticFit fit;
  const std::string dependent = dependence(problem, samples.names);
  if (!dependent.empty()) {
    if (options.l2 == 0) {
      throw bad_input(
          fmt::format("{}: without penalty no coefficients are the best; leave one out, or state a "
                      "penalty",
                      dependent));
    }
    fit.warnings.push_back(
        fmt::format("{}: the penalty alone divides the weight among them, so that single "
                    "coefficients say little; leave one out",
                    dependent));
  }
  const std::optional<Point> found = minimise(problem, options, fit.iterations);
  if (!found) refuse_separation(samples.names);
  const Point& minimum = *found;
  if (options.l2 > 0 && dependent.empty() && is_separable(problem, options)) {
    fit.warnings.push_back(
        fmt::format("{} separate right from wrong perfectly (or but for ties): the coefficients "
                    "are as large as the penalty lets them be and say nothing else; use more "
                    "samples",
                    join_words(samples.names)));
  }
  // Back to the features as they are: weight u / spread, intercept u0 - sum of mean u / spread.
  const auto k = static_cast<Index>(samples.names.size());
  const Derivatives slope = derivatives(problem, minimum);
  const MatrixXd covariance = slope.hessian.ldlt().solve(MatrixXd::Identity(k + 1, k + 1));
  VectorXd back = VectorXd::Ones(k + 1);
  back.tail(k) = -problem.means.cwiseQuotient(problem.spreads);
  fit.intercept = back.dot(minimum.coefficients);
  fit.intercept_error = std::sqrt(back.dot(covariance * back));
  fit.objective = minimum.objective;
  for (Index j = 0; j < k; ++j) {
    fit.weights.push_back(minimum.coefficients[j + 1] / problem.spreads[j]);
    fit.weight_errors.push_back(std::sqrt(covariance(j + 1, j + 1)) / problem.spreads[j]);
  }
  return fit;
}

}  // namespace hedge
