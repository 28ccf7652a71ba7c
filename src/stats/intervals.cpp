// SPDX-License-Identifier: Apache-2.0
#include "stats/intervals.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "hedge/error.h"

namespace hedge {
namespace {

// long double is emulated in software on arm64, and double suffices here.
using Policy = boost::math::policies::policy<boost::math::policies::promote_double<false>>;
using Normal = boost::math::normal_distribution<double, Policy>;
using StudentsT = boost::math::students_t_distribution<double, Policy>;
using Binomial = boost::math::binomial_distribution<double, Policy>;

void require_open_unit(double value, const char* what) {
  if (!(value > 0 && value < 1)) {  // NaN too
    throw bad_input(fmt::format("a {} of {} is not between 0 and 1", what, value));
  }
}

/// The least count from 1 for which `enough` holds; it must hold from there on.
template <class Enough>
std::size_t first_that_holds(const Enough& enough) {
  std::size_t holds = 1;
  while (!enough(holds)) holds *= 2;
  for (std::size_t fails = holds / 2; holds - fails > 1;) {
    const std::size_t middle = fails + (holds - fails) / 2;
    (enough(middle) ? holds : fails) = middle;
  }
  return holds;
}

}  // namespace

Interval wilson_interval(std::int64_t successes, std::int64_t total, double confidence) {
  require_open_unit(confidence, "confidence");
  if (total <= 0 || successes < 0 || successes > total) {
    throw bad_input(fmt::format("{} of {} is no proportion", successes, total));
  }
  const double n = static_cast<double>(total);
  const double p = static_cast<double>(successes) / n;
  const double z = boost::math::quantile(Normal(), 0.5 + confidence / 2);
  const double z2 = z * z;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = z / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  // Exact at the ends, where rounding would leave 1e-17 on the wrong side.
  return {successes == 0 ? 0.0 : centre - half, successes == total ? 1.0 : centre + half};
}

std::optional<Interval> mean_interval(double mean, double stddev, std::size_t count,
                                      double confidence) {
  require_open_unit(confidence, "confidence");
  if (count < 2) return std::nullopt;
  const StudentsT t(static_cast<double>(count - 1));
  const double half = boost::math::quantile(t, 0.5 + confidence / 2) * stddev /
                      std::sqrt(static_cast<double>(count));
  return Interval{mean - half, mean + half};
}

std::optional<RankInterval> quantile_ranks(std::size_t count, double quantile, double confidence) {
  require_open_unit(quantile, "quantile");
  require_open_unit(confidence, "confidence");
  if (count == 0) return std::nullopt;
  const Binomial x(static_cast<double>(count), quantile);
  const double tail = (1 - confidence) / 2;
  const auto below = [&](std::size_t l) {  // P(X < l), l from 1
    return boost::math::cdf(x, static_cast<double>(l - 1));
  };
  const auto from = [&](std::size_t u) {  // P(X >= u), u from 1
    return boost::math::cdf(boost::math::complement(x, static_cast<double>(u - 1)));
  };
  if (below(1) > tail || from(count) > tail) return std::nullopt;

  // Both tails are monotonic in the rank: bisection between one that holds and one that does not.
  std::size_t lower = 1;
  for (std::size_t fails = count + 1; fails - lower > 1;) {
    const std::size_t middle = lower + (fails - lower) / 2;
    (below(middle) <= tail ? lower : fails) = middle;
  }
  std::size_t upper = count;
  for (std::size_t fails = 0; upper - fails > 1;) {
    const std::size_t middle = fails + (upper - fails) / 2;
    (from(middle) <= tail ? upper : fails) = middle;
  }
  return RankInterval{lower, upper};
}

std::size_t fewest_samples(double quantile, double confidence) {
  require_open_unit(quantile, "quantile");
  require_open_unit(confidence, "confidence");
  // The first sample must lie below the quantile and the last above it, but for a tail each: all
  // samples are on one side with probability (1 - quantile)^n and quantile^n.
  const double tail = std::log((1 - confidence) / 2);
  const double n = std::max(tail / std::log(quantile), tail / std::log1p(-quantile));
  // Rounding must not ask for one more than a whole number.
  return static_cast<std::size_t>(std::max(std::ceil(n - 1e-9 * n), 1.0));
}

std::optional<std::size_t> quantile_upper_rank(std::size_t count, double quantile,
                                               double confidence) {
  require_open_unit(quantile, "quantile");
  require_open_unit(confidence, "confidence");
  if (count < 2) return std::nullopt;
  const Binomial above(static_cast<double>(count), 1 - quantile);
  const auto holds = [&](std::size_t t) {  // P(X <= t), monotonic in t
    return boost::math::cdf(above, static_cast<double>(t)) <= 1 - confidence;
  };
  if (!holds(1)) return std::nullopt;
  std::size_t t = 1;
  for (std::size_t fails = count; fails - t > 1;) {
    const std::size_t middle = t + (fails - t) / 2;
    (holds(middle) ? t : fails) = middle;
  }
  return count - t;
}

std::size_t fewest_samples_for_upper(double quantile, double confidence) {
  require_open_unit(quantile, "quantile");
  require_open_unit(confidence, "confidence");
  const auto enough = [&](std::size_t count) {
    return quantile_upper_rank(count, quantile, confidence).has_value();
  };
  return first_that_holds(enough);
}

}  // namespace hedge
