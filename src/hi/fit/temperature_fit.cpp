// SPDX-License-Identifier: Apache-2.0
#include "hi/fit/temperature_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

constexpr double kLeastTemperature = 0.01;
constexpr double kMostTemperature = 100;

/// An image whose true class has a finite logit.
struct Row {
  std::span<const float> logits;
  double largest = 0;
  double of_label = 0;  ///< Less the largest.
};

struct Rows {
  std::vector<float> logarithms;  ///< Of softmax scores, which `rows` look at then.
  std::vector<Row> rows;
};

Rows rows_of(const RecordedScores& scores, ScoreKind kind, std::span<const int> labels,
             std::span<const std::size_t> images) {
  Rows result;
  std::span<const float> values = scores.values;
  if (kind == ScoreKind::kSoftmax) {
    result.logarithms.reserve(values.size());
    for (const float score : values) {
      constexpr float kLeast = std::numeric_limits<float>::denorm_min();
      result.logarithms.push_back(std::log(score < kLeast ? kLeast : score));  // NaN stays.
    }
    values = result.logarithms;
  }
  for (const std::size_t image : images) {
    Row row{.logits = values.subspan(image * scores.columns, scores.columns)};
    const int label = labels[image];
    if (label < 0 || static_cast<std::size_t>(label) >= row.logits.size()) {
      throw bad_input(fmt::format("image {}: its label {} is no class from 0 to {}", image, label,
                                  row.logits.size() - 1));
    }
    row.largest = -std::numeric_limits<double>::infinity();
    for (const float logit : row.logits) {
      if (!std::isnan(logit)) row.largest = std::max(row.largest, static_cast<double>(logit));
    }
    row.of_label = static_cast<double>(row.logits[static_cast<std::size_t>(label)]) - row.largest;
    if (std::isfinite(row.of_label)) result.rows.push_back(row);
  }
  return result;
}

/// Mean negative log likelihood at the inverse temperature, and its derivatives by it.
struct Likelihood {
  double nll = 0;
  double slope = 0;
  double curvature = 0;
};

Likelihood likelihood(std::span<const Row> rows, double inverse) {
  // e^-40 beside the largest's 1 is below what a double can tell; NaN and -infinity compare false.
  const double least = -40 / inverse;
  Likelihood total;
  for (const Row& row : rows) {
    double sum = 0;
    double first = 0;
    double second = 0;
    for (const float logit : row.logits) {
      const double shifted = static_cast<double>(logit) - row.largest;
      if (!(shifted > least)) continue;
      const double exponential = std::exp(inverse * shifted);
      sum += exponential;
      first += exponential * shifted;
      second += exponential * shifted * shifted;
    }
    const double mean = first / sum;
    total.nll += std::log(sum) - inverse * row.of_label;
    total.slope += mean - row.of_label;
    total.curvature += second / sum - mean * mean;
  }
  const auto n = static_cast<double>(rows.size());
  return {.nll = total.nll / n, .slope = total.slope / n, .curvature = total.curvature / n};
}

/// Of the slope's sign at an end of the range.
void require_minimum(const Likelihood& at_end, bool coldest) {
  if (coldest && at_end.slope <= 0) {
    throw bad_input(
        "temperature: the lower the better, down to 0.01; there is nothing to calibrate (is every "
        "answer right, or are all scores alike?)");
  }
  if (!coldest && at_end.slope >= 0) {
    throw bad_input(
        "temperature: the higher the better, up to 100: the scores know less than guessing does "
        "(do the labels go with them?)");
  }
}

}  // namespace

TemperatureFit fit_temperature(const RecordedScores& scores, ScoreKind kind,
                               std::span<const int> labels, std::span<const std::size_t> images) {
  const Rows rows = rows_of(scores, kind, labels, images);
  if (rows.rows.empty()) {
    throw bad_input("no image whose true class has a finite score: there is no temperature to fit");
  }
  double low = 1 / kMostTemperature;
  double high = 1 / kLeastTemperature;
  double inverse = 1;
  Likelihood here = likelihood(rows.rows, inverse);
  TemperatureFit fit{.temperature = 1,
                     .nll_before = here.nll,
                     .nll = here.nll,
                     .left_out = images.size() - rows.rows.size()};
  bool seen_low = false;
  bool seen_high = false;
  for (int i = 0; i < 200; ++i) {
    if (here.slope == 0 && here.curvature > 0) break;
    const bool up = here.slope <= 0;  // 0 without curvature: so cold that nothing moves.
    (up ? low : high) = inverse;
    (up ? seen_low : seen_high) = true;
    double next = inverse - here.slope / here.curvature;
    // Newton's step squares the error: after one of 1e-8 nothing is left of it.
    const bool settled = std::abs(next - inverse) <= 1e-8 * inverse;
    if (!settled && !(next > low && next < high)) {  // NaN and infinities, too.
      bool& seen = up ? seen_high : seen_low;
      if (!seen) require_minimum(likelihood(rows.rows, up ? high : low), up);
      seen = true;
      next = std::sqrt(low * high);
    }
    inverse = next;
    here = likelihood(rows.rows, inverse);
    if (settled) break;
  }
  fit.temperature = 1 / inverse;
  fit.nll = here.nll;
  return fit;
}

}  // namespace hedge
