// SPDX-License-Identifier: Apache-2.0
#include "stats/paired_ratio.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "hedge/error.h"
#include "stats/series.h"

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
  std::vector<double> sorted = ratios;
  std::sort(sorted.begin(), sorted.end());

  const std::size_t half = sorted.size() / 2;
  RatioEstimate estimate{.pairs = sorted.size(), .ratio = sorted[half], .ratio_ci95 = {}};
  if (sorted.size() % 2 == 0) {
    estimate.ratio = std::sqrt(sorted[half - 1]) * std::sqrt(sorted[half]);
  }
  const auto ranks = quantile_ranks_of_series<double>(ratios, estimate.ratio, 0.5);
  if (ranks) estimate.ratio_ci95 = Interval{sorted[ranks->lower - 1], sorted[ranks->upper - 1]};
  return estimate;
}

}  // namespace hedge
