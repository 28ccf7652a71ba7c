// SPDX-License-Identifier: Apache-2.0
#include "hi/temperature_fit.h"

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

/// Logits of the images less their largest, NaN left out as -infinity, and those of the labels.
struct Logits {
  std::vector<double> values;
  std::vector<double> of_label;
  std::size_t columns = 0;
};

double logit_of(float score, ScoreKind kind) {
  if (kind == ScoreKind::kLogits) return static_cast<double>(score);
  return std::log(std::max<double>(score, std::numeric_limits<float>::denorm_min()));
}

Logits shifted_logits(const RecordedScores& scores, ScoreKind kind, std::span<const int> labels,
                      std::span<const std::size_t> images) {
  Logits logits{.values = {}, .of_label = {}, .columns = scores.columns};
  logits.values.reserve(images.size() * scores.columns);
  for (const std::size_t image : images) {
    const auto row = scores.row(image);
    const int label = labels[image];
    if (label < 0 || static_cast<std::size_t>(label) >= row.size()) {
      throw bad_input(fmt::format("image {}: its label {} is no class from 0 to {}", image, label,
                                  row.size() - 1));
    }
    double largest = -std::numeric_limits<double>::infinity();
    for (const float score : row) {
      if (!std::isnan(score)) largest = std::max(largest, logit_of(score, kind));
    }
    const double own = logit_of(row[static_cast<std::size_t>(label)], kind) - largest;
    // A maximum with NaN may be the other one.
    if (!std::isfinite(own) || std::isnan(row[static_cast<std::size_t>(label)])) continue;
    logits.of_label.push_back(own);
    for (const float score : row) {
      logits.values.push_back(std::isnan(score) ? -std::numeric_limits<double>::infinity()
                                                : logit_of(score, kind) - largest);
    }
  }
  return logits;
}

/// Mean negative log likelihood at the inverse temperature, and its derivatives by it.
struct Likelihood {
  double nll = 0;
  double slope = 0;
  double curvature = 0;
};

Likelihood likelihood(const Logits& logits, double inverse) {
  Likelihood total;
  const std::size_t images = logits.of_label.size();
  for (std::size_t image = 0; image < images; ++image) {
    const double* row = logits.values.data() + image * logits.columns;
    double sum = 0;
    double first = 0;
    double second = 0;
    for (std::size_t i = 0; i < logits.columns; ++i) {
      const double exponential = std::exp(inverse * row[i]);
      if (exponential == 0) continue;  // 0 times -infinity is none.
      sum += exponential;
      first += exponential * row[i];
      second += exponential * row[i] * row[i];
    }
    const double mean = first / sum;
    total.nll += std::log(sum) - inverse * logits.of_label[image];
    total.slope += mean - logits.of_label[image];
    total.curvature += second / sum - mean * mean;
  }
  const auto n = static_cast<double>(images);
  return {.nll = total.nll / n, .slope = total.slope / n, .curvature = total.curvature / n};
}

}  // namespace

TemperatureFit fit_temperature(const RecordedScores& scores, ScoreKind kind,
                               std::span<const int> labels, std::span<const std::size_t> images) {
  const Logits logits = shifted_logits(scores, kind, labels, images);
  if (logits.of_label.empty()) {
    throw bad_input("no image whose true class has a finite score: there is no temperature to fit");
  }
  double low = 1 / kMostTemperature;
  double high = 1 / kLeastTemperature;
  if (likelihood(logits, high).slope < 0) {
    throw bad_input(
        "temperature: the lower the better, down to 0.01 (is every answer right?); there is "
        "nothing to calibrate");
  }
  if (likelihood(logits, low).slope > 0) {
    throw bad_input(
        "temperature: the higher the better, up to 100: the scores know less than guessing does "
        "(do the labels go with them?)");
  }
  double inverse = 1;
  Likelihood here = likelihood(logits, inverse);
  TemperatureFit fit{.temperature = 1,
                     .nll_before = here.nll,
                     .nll = here.nll,
                     .left_out = images.size() - logits.of_label.size()};
  for (int i = 0; i < 200; ++i) {
    (here.slope > 0 ? high : low) = inverse;
    double next = inverse - here.slope / here.curvature;
    if (!(next > low && next < high)) next = (low + high) / 2;  // NaN and infinities, too.
    const bool settled = std::abs(next - inverse) <= 1e-14 * inverse;
    inverse = next;
    here = likelihood(logits, inverse);
    if (settled) break;
  }
  fit.temperature = 1 / inverse;
  fit.nll = here.nll;
  return fit;
}

}  // namespace hedge
