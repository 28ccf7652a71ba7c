// SPDX-License-Identifier: Apache-2.0
#include "stats/ratio.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <vector>

#include "hedge/error.h"

namespace hedge {
RatioEstimate paired_ratio(std::span<const std::int64_t> a_ns, std::span<const std::int64_t> b_ns) {
  if (a_ns.size() != b_ns.size()) {
    throw bad_input(
        fmt::format("{} samples of A and {} of B are not pairs", a_ns.size(), b_ns.size()));
  }
  if (a_ns.empty()) throw bad_input("there are no pairs to compare");

  const auto log_of = [](std::int64_t ns) {
    return std::log(static_cast<double>(std::max<std::int64_t>(ns, 1)));
  };
  const std::size_t n = a_ns.size();
  std::vector<double> logs(n);
  for (std::size_t i = 0; i < n; ++i) logs[i] = log_of(a_ns[i]) - log_of(b_ns[i]);
  const MeanEstimate mean = trimmed_mean_of_series(logs, kRatioTrimmed);
  RatioEstimate estimate{.ratio = std::exp(mean.mean), .interval = {}};
  const double stddev = mean.standard_error * std::sqrt(static_cast<double>(mean.count));
  if (const auto interval = mean_interval(mean.mean, stddev, mean.count, kRatioConfidence)) {
    estimate.interval = Interval{std::exp(interval->lower), std::exp(interval->upper)};
  }
  return estimate;
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

}  // namespace hedge
