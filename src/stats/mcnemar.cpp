// SPDX-License-Identifier: Apache-2.0
#include "stats/mcnemar.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>

#include "hedge/error.h"

namespace hedge {

PairedAnswers pair_answers(std::span<const int> labels, std::span<const int> a,
                           std::span<const int> b) {
  if (labels.size() != a.size() || labels.size() != b.size()) {
    throw bad_input(
        fmt::format("{} labels, but {} and {} answers", labels.size(), a.size(), b.size()));
  }
  PairedAnswers pairs{.total = static_cast<std::int64_t>(labels.size())};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const bool a_right = a[i] >= 0 && a[i] == labels[i];
    const bool b_right = b[i] >= 0 && b[i] == labels[i];
    pairs.agree += a[i] == b[i] ? 1 : 0;
    pairs.both_right += a_right && b_right ? 1 : 0;
    pairs.only_a_right += a_right && !b_right ? 1 : 0;
    pairs.only_b_right += b_right && !a_right ? 1 : 0;
  }
  return pairs;
}

double mcnemar_p_value(std::int64_t only_a_right, std::int64_t only_b_right) {
  if (only_a_right < 0 || only_b_right < 0) {
    throw bad_input(fmt::format("{} and {} discordant images", only_a_right, only_b_right));
  }
  const std::int64_t n = only_a_right + only_b_right;
  if (n == 0) return 1;
  using Policy = boost::math::policies::policy<boost::math::policies::promote_double<false>>;
  const boost::math::binomial_distribution<double, Policy> half(static_cast<double>(n), 0.5);
  const auto fewer = static_cast<double>(std::min(only_a_right, only_b_right));
  return std::min(1.0, 2 * boost::math::cdf(half, fewer));
}

}  // namespace hedge
