// SPDX-License-Identifier: Apache-2.0
#include "quant/threshold.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "base/named_values.h"
#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::size_t kLevels = 128;  ///< Of the magnitude: 8 bits less the sign.

constexpr std::array<std::pair<CalibrationMethod, std::string_view>, 4> kMethods{{
    {CalibrationMethod::kEntropy, "entropy"},
    {CalibrationMethod::kMinMax, "minmax"},
    {CalibrationMethod::kPercentile, "percentile"},
    {CalibrationMethod::kMse, "mse"},
}};

/// KL divergence of the first `used` bins, merged into kLevels and spread again over the bins that
/// have counts, from the same bins with all outliers in the last.
double divergence(const std::vector<double>& bins, std::size_t used, double outliers) {
  std::array<double, kLevels> sum{};
  std::array<double, kLevels> filled{};
  double merged_total = 0;
  for (std::size_t i = 0; i < used; ++i) {
    if (bins[i] == 0) continue;
    const std::size_t level = i * kLevels / used;
    sum[level] += bins[i];
    filled[level] += 1;
    merged_total += bins[i];
  }
  const double clipped_total = merged_total + outliers;
  double sum_of_logs = 0;
  for (std::size_t i = 0; i < used; ++i) {
    const double clipped = bins[i] + (i + 1 == used ? outliers : 0);
    if (clipped == 0) continue;
    if (bins[i] == 0) return std::numeric_limits<double>::infinity();
    const std::size_t level = i * kLevels / used;
    const double p = clipped / clipped_total;
    const double q = sum[level] / filled[level] / merged_total;
    sum_of_logs += p * std::log(p / q);
  }
  return sum_of_logs;
}

/// Sum of count * (x - quantized(x))^2 over the bins' centres.
double squared_error(const Histogram& histogram, double threshold) {
  const double step = threshold / (kLevels - 1);
  double sum = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    if (histogram.counts[i] == 0) continue;
    const double x = (static_cast<double>(i) + 0.5) * histogram.width;
    const double quantized = std::min(std::nearbyint(x / step), double{kLevels - 1}) * step;
    sum += static_cast<double>(histogram.counts[i]) * (x - quantized) * (x - quantized);
  }
  return sum;
}

}  // namespace

CalibrationMethod calibration_method_from_string(std::string_view name) {
  return value_named(kMethods, to_lower(name), "calibration method");
}

std::string_view to_string(CalibrationMethod method) noexcept {
  return name_in(kMethods, method);
}

double entropy_threshold(const Histogram& histogram) {
  std::vector<double> bins(histogram.counts.begin(), histogram.counts.end());
  if (bins.size() > 1) bins[0] = bins[1];
  double outliers = std::accumulate(
      bins.begin() + static_cast<std::ptrdiff_t>(std::min(kLevels, bins.size())), bins.end(), 0.0);
  double least = std::numeric_limits<double>::infinity();
  std::size_t best = bins.size();
  for (std::size_t used = kLevels; used <= bins.size(); ++used) {
    if (used > kLevels) outliers -= bins[used - 1];
    const double loss = divergence(bins, used, outliers);
    if (loss <= least) {
      least = loss;
      best = used;
    }
  }
  return static_cast<double>(best) * histogram.width;
}

double percentile_threshold(const Histogram& histogram, double percentile) {
  const auto total = static_cast<double>(
      std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::uint64_t{0}));
  std::uint64_t below = 0;
  std::size_t bin = 0;
  for (; bin < histogram.counts.size(); ++bin) {
    below += histogram.counts[bin];
    if (static_cast<double>(below) >= percentile / 100 * total) break;
  }
  // Bin 0 would give a threshold of 0, with which nothing could be told apart.
  return static_cast<double>(std::max<std::size_t>(bin, 1)) * histogram.width;
}

double mse_threshold(const Histogram& histogram) {
  const std::size_t bins = histogram.counts.size();
  double least = std::numeric_limits<double>::infinity();
  double best = static_cast<double>(bins) * histogram.width;
  for (std::size_t i = kLevels; i < bins; ++i) {
    const double threshold = (static_cast<double>(i) + 0.5) * histogram.width;
    const double error = squared_error(histogram, threshold);
    if (error < least) {
      least = error;
      best = threshold;
    }
  }
  return best;
}

double calibrate_threshold(const MagnitudeCounter& seen, CalibrationMethod method,
                           double percentile) {
  if (seen.not_finite() > 0) {
    throw bad_input(fmt::format("{} of its values are not finite", seen.not_finite()));
  }
  if (seen.maximum() == 0) {
    throw bad_input(seen.total() == 0 ? "no value was seen" : "all its values are zero");
  }
  switch (method) {
    case CalibrationMethod::kEntropy:
      return entropy_threshold(seen.histogram(kCalibrationBins));
    case CalibrationMethod::kPercentile:
      return percentile_threshold(seen.histogram(kCalibrationBins), percentile);
    case CalibrationMethod::kMse:
      return mse_threshold(seen.histogram(kCalibrationBins));
    case CalibrationMethod::kMinMax:
      break;
  }
  return seen.maximum();
}

}  // namespace hedge
