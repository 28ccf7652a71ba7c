// SPDX-License-Identifier: Apache-2.0
#include "stats/paired_ratio.h"

#include <fmt/format.h>

#include <algorithm>
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

  const auto at_least_1 = [](std::int64_t ns) {
    return static_cast<double>(std::max<std::int64_t>(ns, 1));
  };
  std::vector<double> ratios(a_ns.size());
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    ratios[i] = at_least_1(a_ns[i]) / at_least_1(b_ns[i]);
  }
  std::sort(ratios.begin(), ratios.end());

  const std::size_t half = ratios.size() / 2;
  const double median =
      ratios.size() % 2 == 1 ? ratios[half] : std::sqrt(ratios[half - 1]) * std::sqrt(ratios[half]);
  return {ratios.size(), median, median_interval(ratios)};
}

}  // namespace hedge
