// SPDX-License-Identifier: Apache-2.0
#include "stats/calibration_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "hedge/error.h"

namespace hedge {
namespace {

void require_samples(const Forecasts& forecasts) {
  if (forecasts.probabilities.size() != forecasts.outcomes.size()) {
    throw bad_input(fmt::format("{} probabilities, but {} outcomes", forecasts.probabilities.size(),
                                forecasts.outcomes.size()));
  }
  if (forecasts.outcomes.empty()) throw bad_input("no forecasts");
}

void require_probabilities(const Forecasts& forecasts) {
  require_samples(forecasts);
  for (std::size_t i = 0; i < forecasts.probabilities.size(); ++i) {
    const double p = forecasts.probabilities[i];
    if (!(p >= 0 && p <= 1)) {
      throw bad_input(fmt::format("forecast {} is {}, no probability from 0 to 1", i, p));
    }
  }
}

template <class Term>
double mean_of(const Forecasts& forecasts, Term&& term) {
  double sum = 0;
  for (std::size_t i = 0; i < forecasts.outcomes.size(); ++i) {
    sum += term(forecasts.probabilities[i], forecasts.outcomes[i] != 0);
  }
  return sum / static_cast<double>(forecasts.outcomes.size());
}

/// Edge i is i times the rounded width, as NumPy's linspace has it.
std::vector<double> equal_widths(std::size_t bins) {
  std::vector<double> edges(bins + 1);
  const double width = 1 / static_cast<double>(bins);
  for (std::size_t i = 0; i < bins; ++i) edges[i] = static_cast<double>(i) * width;
  edges.back() = 1;
  return edges;
}

/// Between two order statistics the quantile is interpolated: type 7 of Hyndman and Fan (The
/// American Statistician 50, 1996).
std::vector<double> quantile_edges(std::span<const double> probabilities, std::size_t bins) {
  std::vector<double> sorted(probabilities.begin(), probabilities.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> edges(bins + 1);
  for (std::size_t i = 0; i <= bins; ++i) {
    const double rank =
        static_cast<double>(sorted.size() - 1) * static_cast<double>(i) / static_cast<double>(bins);
    const auto below = static_cast<std::size_t>(rank);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    edges[i] = sorted[below] + (sorted[above] - sorted[below]) * (rank - std::floor(rank));
  }
  return edges;
}

}  // namespace

std::optional<double> roc_auc(const Forecasts& forecasts) {
  require_samples(forecasts);
  const auto scores = forecasts.probabilities;
  if (std::any_of(scores.begin(), scores.end(), [](double score) { return std::isnan(score); })) {
    throw bad_input("a score is NaN; it has no rank");
  }
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  // Pairs (without, with) in the right order, twice, so that ties count as whole numbers.
  double twice = 0;
  double without = 0;  // The samples without the event below the present score.
  double with = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    double tied_with = 0;
    for (; end < order.size() && scores[order[end]] == scores[order[begin]]; ++end) {
      tied_with += forecasts.outcomes[order[end]] != 0 ? 1 : 0;
    }
    const double tied_without = static_cast<double>(end - begin) - tied_with;
    twice += tied_with * (2 * without + tied_without);
    without += tied_without;
    with += tied_with;
    begin = end;
  }
  if (with == 0 || without == 0) return std::nullopt;
  return twice / (2 * with * without);
}

double brier_score(const Forecasts& forecasts) {
  require_probabilities(forecasts);
  return mean_of(forecasts, [](double p, bool came) {
    const double error = p - (came ? 1 : 0);
    return error * error;
  });
}

double log_loss(const Forecasts& forecasts) {
  require_probabilities(forecasts);
  static constexpr double kLeast = std::numeric_limits<double>::epsilon();
  return mean_of(forecasts, [](double p, bool came) {
    return -std::log(std::clamp(came ? p : 1 - p, kLeast, 1 - kLeast));
  });
}

std::vector<ReliabilityBin> reliability_bins(const Forecasts& forecasts, std::size_t bins,
                                             Binning binning) {
  require_probabilities(forecasts);
  if (bins < 1 || bins > 10'000) throw bad_input(fmt::format("{} bins; 1 to 10000 can be", bins));
  const std::vector<double> edges = binning == Binning::kEqualWidth
                                        ? equal_widths(bins)
                                        : quantile_edges(forecasts.probabilities, bins);
  std::vector<ReliabilityBin> result(bins);
  for (std::size_t i = 0; i < bins; ++i) {
    result[i].lower = edges[i];
    result[i].upper = edges[i + 1];
  }
  for (std::size_t i = 0; i < forecasts.outcomes.size(); ++i) {
    const double p = forecasts.probabilities[i];
    // The first bin whose upper edge is not below p; nothing lies above the last one's.
    const auto upper = std::lower_bound(edges.begin() + 1, edges.end() - 1, p);
    ReliabilityBin& bin = result[static_cast<std::size_t>(upper - edges.begin() - 1)];
    ++bin.count;
    bin.mean_probability += p;
    bin.frequency += forecasts.outcomes[i] != 0 ? 1 : 0;
  }
  for (ReliabilityBin& bin : result) {
    if (bin.count == 0) continue;
    bin.mean_probability /= static_cast<double>(bin.count);
    bin.frequency /= static_cast<double>(bin.count);
  }
  return result;
}

double expected_calibration_error(std::span<const ReliabilityBin> bins) {
  double sum = 0;
  std::int64_t samples = 0;
  for (const ReliabilityBin& bin : bins) {
    sum += static_cast<double>(bin.count) * std::abs(bin.mean_probability - bin.frequency);
    samples += bin.count;
  }
  return samples == 0 ? 0 : sum / static_cast<double>(samples);
}

}  // namespace hedge
