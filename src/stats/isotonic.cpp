// SPDX-License-Identifier: Apache-2.0
#include "stats/isotonic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "hedge/error.h"

namespace hedge {
namespace {

/// Samples from the score `first` to `last` that share a probability.
struct Block {
  double first;
  double last;
  double came;
  double count;
  [[nodiscard]] double mean() const { return came / count; }
};

std::vector<std::size_t> order_of(const Forecasts& samples) {
  if (samples.probabilities.size() != samples.outcomes.size()) {
    throw bad_input(fmt::format("{} scores, but {} outcomes", samples.probabilities.size(),
                                samples.outcomes.size()));
  }
  if (samples.outcomes.empty()) throw bad_input("no samples to fit on");
  for (const double score : samples.probabilities) {
    if (!std::isfinite(score)) throw bad_input("a score is no finite number");
  }
  std::vector<std::size_t> order(samples.outcomes.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return samples.probabilities[a] < samples.probabilities[b];
  });
  return order;
}

}  // namespace

double IsotonicFit::operator()(double score) const noexcept {
  if (std::isnan(score)) return score;
  const auto above = std::upper_bound(scores.begin(), scores.end(), score);
  if (above == scores.begin()) return probabilities.front();
  if (above == scores.end()) return probabilities.back();
  const auto i = static_cast<std::size_t>(above - scores.begin());
  const double rise = probabilities[i] - probabilities[i - 1];
  return probabilities[i - 1] + rise * (score - scores[i - 1]) / (scores[i] - scores[i - 1]);
}

std::optional<double> IsotonicFit::least_score(double probability) const noexcept {
  const auto reached = std::lower_bound(probabilities.begin(), probabilities.end(), probability);
  if (reached == probabilities.end()) return std::nullopt;
  if (reached == probabilities.begin()) return -std::numeric_limits<double>::infinity();
  const auto i = static_cast<std::size_t>(reached - probabilities.begin());
  const double rise = probabilities[i] - probabilities[i - 1];
  double score =
      scores[i - 1] + (scores[i] - scores[i - 1]) * ((probability - probabilities[i - 1]) / rise);
  // Rounding may have left it a hair too low.
  while ((*this)(score) < probability && score < scores[i]) {
    score = std::nextafter(score, scores[i]);
  }
  return score;
}

IsotonicFit fit_isotonic(const Forecasts& samples) {
  const std::vector<std::size_t> order = order_of(samples);
  std::vector<Block> blocks;
  for (std::size_t begin = 0; begin < order.size();) {
    const double score = samples.probabilities[order[begin]];
    Block block{.first = score, .last = score, .came = 0, .count = 0};
    std::size_t end = begin;
    for (; end < order.size() && samples.probabilities[order[end]] == score; ++end) {
      block.came += samples.outcomes[order[end]] != 0 ? 1 : 0;
      block.count += 1;
    }
    begin = end;
    // A mean no larger than the one before it: both become one block. (Products of counts are
    // exact, quotients would not be.)
    while (!blocks.empty() &&
           block.came * blocks.back().count <= blocks.back().came * block.count) {
      block.first = blocks.back().first;
      block.came += blocks.back().came;
      block.count += blocks.back().count;
      blocks.pop_back();
    }
    blocks.push_back(block);
  }
  IsotonicFit fit;
  for (const Block& block : blocks) {
    fit.scores.push_back(block.first);
    fit.probabilities.push_back(block.mean());
    if (block.last == block.first) continue;
    fit.scores.push_back(block.last);
    fit.probabilities.push_back(block.mean());
  }
  return fit;
}

}  // namespace hedge
