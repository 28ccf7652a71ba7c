// SPDX-License-Identifier: Apache-2.0
#include "stats/series.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

/// Autocorrelations are summed over this many means at most, however long the series is.
constexpr std::size_t kMostBlocks = 4000;
constexpr std::size_t kFewestBatches = 10;
constexpr std::size_t kMostBatches = 200;
constexpr double kTimesInABatch = 10;

/// Means of consecutive blocks of equal length. What does not fill a block is left out at the
/// beginning.
template <class At>
std::vector<double> block_means(std::size_t count, std::size_t blocks, At at) {
  const std::size_t length = count / blocks;
  std::size_t next = count - length * blocks;
  std::vector<double> means(blocks);
  for (double& mean : means) {
    double sum = 0;
    for (std::size_t i = 0; i < length; ++i) sum += at(next++);
    mean = sum / static_cast<double>(length);
  }
  return means;
}

struct Moments {
  double mean = 0;
  double variance = 0;  ///< Divided by the count.
};

Moments moments(std::span<const double> series) {
  Moments m;
  for (const double x : series) m.mean += x;
  m.mean /= static_cast<double>(series.size());
  for (const double x : series) m.variance += (x - m.mean) * (x - m.mean);
  m.variance /= static_cast<double>(series.size());
  return m;
}

/// Of `count` samples with that variance: how many of them say as much as one that is independent,
/// by the variance of the mean of their blocks.
double samples_for_one(std::span<const double> blocks, std::size_t count, double variance) {
  if (!(variance > 0)) return 1;
  const double actual =
      moments(blocks).variance * autocorrelation_time(blocks) / static_cast<double>(blocks.size());
  return std::max(actual * static_cast<double>(count) / variance, 1.0);
}

}  // namespace

double autocorrelation_time(std::span<const double> series) {
  const std::size_t n = series.size();
  if (n < 2) return 1;
  const Moments all = moments(series);
  if (!(all.variance > 0)) return 1;
  std::vector<double> distance(n);
  std::transform(series.begin(), series.end(), distance.begin(),
                 [&](double x) { return x - all.mean; });
  const auto correlation = [&](std::size_t lag) {
    double sum = 0;
    for (std::size_t i = lag; i < n; ++i) sum += distance[i] * distance[i - lag];
    return sum / (all.variance * static_cast<double>(n));
  };
  // Of a reversible chain, sums of neighbouring lags are positive; noise alone makes them negative.
  double time = -1;
  for (std::size_t lag = 0; lag + 1 < n; lag += 2) {
    const double pair = (lag == 0 ? 1 : correlation(lag)) + correlation(lag + 1);
    if (pair <= 0) break;
    time += 2 * pair;
  }
  return std::max(time, 1.0);
}

SeriesMean mean_of_series(std::span<const std::int64_t> series, double confidence) {
  if (series.empty()) throw bad_input("there are no samples to take the mean of");
  const std::size_t n = series.size();
  // Distances from the first, because sums of large numbers lose their small differences.
  const std::int64_t origin = series.front();
  const auto at = [&](std::size_t i) { return static_cast<double>(series[i] - origin); };
  SeriesMean result;
  for (std::size_t i = 0; i < n; ++i) result.mean += at(i);
  result.mean = static_cast<double>(origin) + result.mean / static_cast<double>(n);

  double variance = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double distance = static_cast<double>(series[i]) - result.mean;
    variance += distance * distance / static_cast<double>(n);
  }
  const std::vector<double> blocks = block_means(n, std::min(n, kMostBlocks), at);
  std::size_t batches = blocks.size();
  if (batches >= 2 * kFewestBatches) {
    result.autocorrelation_time = samples_for_one(blocks, n, variance);
    const double batch = kTimesInABatch * autocorrelation_time(blocks);
    batches = std::clamp(static_cast<std::size_t>(static_cast<double>(batches) / batch),
                         kFewestBatches, kMostBatches);
  }
  const std::vector<double> means =
      block_means(blocks.size(), batches, [&](std::size_t i) { return blocks[i]; });
  const double k = static_cast<double>(batches);
  const double stddev = std::sqrt(moments(means).variance * k / std::max(k - 1, 1.0));
  result.interval = mean_interval(result.mean, stddev, batches, confidence);
  return result;
}

template <class T>
std::size_t independent_samples(std::span<const T> series, T level) {
  const std::size_t n = series.size();
  if (n == 0) return 0;
  const auto below = [&](std::size_t i) { return series[i] <= level ? 1.0 : 0.0; };
  const std::vector<double> blocks = block_means(n, std::min(n, kMostBlocks), below);
  const auto inside =
      std::count_if(series.begin(), series.end(), [&](T value) { return value <= level; });
  const double share = static_cast<double>(inside) / static_cast<double>(n);
  return static_cast<std::size_t>(static_cast<double>(n) /
                                  samples_for_one(blocks, n, share * (1 - share)));
}

std::optional<RankInterval> stretched_quantile_ranks(std::size_t count, std::size_t independent,
                                                     double quantile, double confidence) {
  const auto ranks = quantile_ranks(independent, quantile, confidence);
  if (!ranks || independent == count) return ranks;
  const double stretch = static_cast<double>(count) / static_cast<double>(independent);
  const auto scaled = [&](std::size_t rank) { return static_cast<double>(rank) * stretch; };
  return RankInterval{static_cast<std::size_t>(std::floor(scaled(ranks->lower - 1))) + 1,
                      std::min(count, static_cast<std::size_t>(std::ceil(scaled(ranks->upper))))};
}

std::optional<std::size_t> stretched_upper_rank(std::size_t count, std::size_t independent,
                                                double quantile, double confidence) {
  const auto rank = quantile_upper_rank(independent, quantile, confidence);
  if (!rank || independent == count) return rank;
  const double stretch = static_cast<double>(count) / static_cast<double>(independent);
  return std::min(count, static_cast<std::size_t>(std::ceil(static_cast<double>(*rank) * stretch)));
}

template <class T>
std::optional<RankInterval> quantile_ranks_of_series(std::span<const T> series, T estimate,
                                                     double quantile, double confidence) {
  return stretched_quantile_ranks(series.size(), independent_samples(series, estimate), quantile,
                                  confidence);
}

template std::size_t independent_samples(std::span<const std::int64_t>, std::int64_t);
template std::size_t independent_samples(std::span<const double>, double);
template std::optional<RankInterval> quantile_ranks_of_series(std::span<const std::int64_t>,
                                                              std::int64_t, double, double);
template std::optional<RankInterval> quantile_ranks_of_series(std::span<const double>, double,
                                                              double, double);

}  // namespace hedge
