// SPDX-License-Identifier: Apache-2.0
#include "stats/ratio.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

std::vector<double> log_ratios(std::span<const std::int64_t> a_ns,
                               std::span<const std::int64_t> b_ns) {
  if (a_ns.size() != b_ns.size()) {
    throw bad_input(
        fmt::format("{} samples of A and {} of B are not pairs", a_ns.size(), b_ns.size()));
  }
  if (a_ns.empty()) throw bad_input("there are no pairs to compare");
  const auto log_of = [](std::int64_t ns) {
    return std::log(static_cast<double>(std::max<std::int64_t>(ns, 1)));
  };
  std::vector<double> logs(a_ns.size());
  for (std::size_t i = 0; i < logs.size(); ++i) logs[i] = log_of(a_ns[i]) - log_of(b_ns[i]);
  return logs;
}

RatioEstimate from_logarithm(double mean, double stddev, std::size_t count) {
  RatioEstimate estimate{.ratio = std::exp(mean), .interval = {}};
  if (const auto interval = mean_interval(mean, stddev, count, kRatioConfidence)) {
    estimate.interval = Interval{std::exp(interval->lower), std::exp(interval->upper)};
  }
  return estimate;
}

}  // namespace

RatioEstimate paired_ratio(std::span<const std::int64_t> a_ns, std::span<const std::int64_t> b_ns) {
  const MeanEstimate mean = trimmed_mean_of_series(log_ratios(a_ns, b_ns), kRatioTrimmed);
  const double stddev = mean.standard_error * std::sqrt(static_cast<double>(mean.count));
  return from_logarithm(mean.mean, stddev, mean.count);
}

RatioEstimate ratio_over_rounds(std::span<const std::int64_t> a_ns,
                                std::span<const std::int64_t> b_ns,
                                std::span<const std::size_t> begins) {
  if (begins.size() < 2) return paired_ratio(a_ns, b_ns);
  const std::vector<double> logs = log_ratios(a_ns, b_ns);
  std::vector<double> rounds;
  for (std::size_t i = 0; i < begins.size(); ++i) {
    const std::size_t end = i + 1 < begins.size() ? begins[i + 1] : logs.size();
    if (begins[i] >= end || end > logs.size()) throw bad_input("a round has no pairs");
    const auto round = std::span<const double>(logs).subspan(begins[i], end - begins[i]);
    rounds.push_back(trimmed_mean_of_series(round, kRatioTrimmed).mean);
  }
  const auto n = static_cast<double>(rounds.size());
  double mean = 0;
  for (const double round : rounds) mean += round / n;
  double squares = 0;
  for (const double round : rounds) squares += (round - mean) * (round - mean);
  return from_logarithm(mean, std::sqrt(squares / (n - 1)), rounds.size());
}

RatioEstimate ratio_of_means(const MeanEstimate& a, const MeanEstimate& b) {
  if (!(a.mean > 0) || !(b.mean > 0)) throw bad_input("a ratio needs means above 0");
  RatioEstimate estimate{.ratio = a.mean / b.mean, .interval = {}};
  if (a.count < 2 || b.count < 2) return estimate;
  const double va = a.standard_error * a.standard_error;
  // In units of A's: what the ratio multiplies.
  const double vb = b.standard_error * b.standard_error;
  const double share_b = vb * estimate.ratio * estimate.ratio;
  const double total = va + share_b;
  if (total == 0) {
    estimate.interval = Interval{estimate.ratio, estimate.ratio};
    return estimate;
  }
  const double freedom = total * total /
                         (va * va / static_cast<double>(a.count - 1) +
                          share_b * share_b / static_cast<double>(b.count - 1));
  const double t =
      boost::math::quantile(boost::math::students_t(freedom), (1 + kRatioConfidence) / 2);
  // The ratios r for which a - r b is no further from 0 than t times its standard error.
  const double g = t * t * vb / (b.mean * b.mean);
  if (g >= 1) return estimate;
  const double centre = estimate.ratio / (1 - g);
  const double half = t / (b.mean * (1 - g)) * std::sqrt(va * (1 - g) + share_b);
  estimate.interval = Interval{centre - half, centre + half};
  return estimate;
}

MeanEstimate product_of_means(const MeanEstimate& a, const MeanEstimate& b) {
  if (!(a.mean > 0) || !(b.mean > 0)) throw bad_input("a product needs means above 0");
  MeanEstimate product{.mean = a.mean * b.mean, .standard_error = 0, .count = 0};
  if (a.count < 2 || b.count < 2) return product;
  const double va = std::pow(a.standard_error / a.mean, 2);
  const double vb = std::pow(b.standard_error / b.mean, 2);
  product.standard_error = product.mean * std::sqrt(va + vb);
  product.count = std::min(a.count, b.count);
  if (va + vb == 0) return product;
  const double freedom =
      (va + vb) * (va + vb) /
      (va * va / static_cast<double>(a.count - 1) + vb * vb / static_cast<double>(b.count - 1));
  // Never below the lesser of the two, but for the last digits.
  product.count = std::max(product.count, static_cast<std::size_t>(freedom) + 1);
  return product;
}

}  // namespace hedge
