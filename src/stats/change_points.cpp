// SPDX-License-Identifier: Apache-2.0
#include "stats/change_points.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hedge {
namespace {

/// Sums of the first i values, so that the mean of any stretch is one difference.
class Prefix {
 public:
  explicit Prefix(std::span<const double> series) : sums_(series.size() + 1, 0.0) {
    // Distances from the first, because sums of large numbers lose their small differences.
    for (std::size_t i = 0; i < series.size(); ++i) {
      sums_[i + 1] = sums_[i] + (series[i] - series.front());
    }
  }
  [[nodiscard]] double mean(std::size_t begin, std::size_t end) const {
    return (sums_[end] - sums_[begin]) / static_cast<double>(end - begin);
  }

 private:
  std::vector<double> sums_;
};

/// Of a normal distribution, the median of its absolute deviations in standard deviations.
constexpr double kNormalMedianDeviation = 0.6744897501960817;

double upper_median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Long-run variance by the differences of neighbouring means of `batch` values.
double difference_variance(const Prefix& prefix, std::size_t count, std::size_t batch) {
  std::vector<double> differences;
  differences.reserve(count - 2 * batch + 1);
  for (std::size_t i = 0; i + 2 * batch <= count; ++i) {
    const double left = prefix.mean(i, i + batch);
    const double right = prefix.mean(i + batch, i + 2 * batch);
    differences.push_back(right - left);
  }
  // A slope, be it that of every tooth of a saw, moves all of them by the same.
  const double slope = upper_median(differences);
  for (double& difference : differences) difference = std::abs(difference - slope);
  const double deviation = upper_median(differences) / kNormalMedianDeviation;
  return deviation * deviation / 2 * static_cast<double>(batch);
}

struct Split {
  std::size_t at = 0;
  double score = 0;
};

class Segmentation {
 public:
  Segmentation(std::span<const double> series, const LocalNoise& noise, double threshold,
               double least_step)
      : prefix_(series),
        noise_(noise),
        threshold_(threshold),
        least_step_(least_step),
        fewest_(noise.batch) {}

  void cut(std::size_t begin, std::size_t end) {
    const Split best = best_split(begin, end);
    if (best.at == 0) return;
    cut(begin, best.at);
    points_.push_back(best.at);
    cut(best.at, end);
  }
  [[nodiscard]] const std::vector<std::size_t>& points() const { return points_; }

 private:
  /// The best one over seeded intervals within [begin, end); at 0 where none passes.
  [[nodiscard]] Split best_split(std::size_t begin, std::size_t end) const {
    Split best;
    const std::size_t count = end - begin;
    const double ratio = std::sqrt(0.5);
    for (double length = static_cast<double>(count); length >= 2.0 * static_cast<double>(fewest_);
         length *= ratio) {
      const auto whole = static_cast<std::size_t>(length);
      if (whole < 2) break;
      const std::size_t shift = std::max<std::size_t>(whole / 2, 1);
      for (std::size_t at = begin; at + whole <= end; at += shift) look(at, at + whole, best);
      look(end - whole, end, best);
    }
    return best;
  }

  void look(std::size_t begin, std::size_t end, Split& best) const {
    for (std::size_t at = begin + fewest_; at + fewest_ <= end; ++at) {
      const double step = std::abs(prefix_.mean(at, end) - prefix_.mean(begin, at));
      if (step < least_step_) continue;
      const double left = static_cast<double>(at - begin);
      const double right = static_cast<double>(end - at);
      const double error = noise_.long_run_stddev * std::sqrt(1 / left + 1 / right);
      if (step > threshold_ * error && step > best.score * error) best = {at, step / error};
    }
  }

  Prefix prefix_;
  LocalNoise noise_;
  double threshold_;
  double least_step_;
  std::size_t fewest_;
  std::vector<std::size_t> points_;
};

}  // namespace

LocalNoise local_noise(std::span<const double> series) {
  constexpr std::size_t kFewestBatches = 10;
  constexpr double kGrowth = 1.5;
  const std::size_t n = series.size();
  if (n < 3) return {};
  const Prefix prefix(series);
  std::size_t batch = 1;
  double variance = difference_variance(prefix, n, batch);
  while (n / (2 * batch) >= kFewestBatches) {
    const double next = difference_variance(prefix, n, 2 * batch);
    const bool level = next <= kGrowth * variance;
    // What neighbours still have in common falls as 1 / batch: extrapolated to none.
    variance = level ? std::max(variance, 2 * next - variance) : next;
    batch *= 2;
    if (level) break;
  }
  return {std::sqrt(variance), batch};
}

Trend linear_trend(std::span<const double> series, const LocalNoise& noise) {
  if (series.size() < 3) return {};
  const auto n = static_cast<double>(series.size());
  const double middle = (n - 1) / 2;
  const double mean = std::accumulate(series.begin(), series.end(), 0.0) / n;
  double sum = 0;
  double squares = 0;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const double distance = static_cast<double>(i) - middle;
    sum += distance * (series[i] - mean);
    squares += distance * distance;
  }
  const double slope = sum / squares;
  const double error = noise.long_run_stddev / std::sqrt(squares);
  const double score = error > 0 ? slope / error : 0;
  return {slope * (n - 1), score};
}

std::vector<std::size_t> change_points(std::span<const double> series, const LocalNoise& noise,
                                       double threshold, double least_step) {
  Segmentation segmentation(series, noise, threshold, least_step);
  if (series.size() >= 2) segmentation.cut(0, series.size());
  return segmentation.points();
}

}  // namespace hedge
