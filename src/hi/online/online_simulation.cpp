// SPDX-License-Identifier: Apache-2.0
#include "hi/online/online_simulation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "hedge/error.h"

namespace hedge {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kCurvePoints = 48;
constexpr double kGrowthSpan = 16;

/// The distinct confidences, ascending.
std::vector<double> distinct_confidences(std::span<const OnlineRound> rounds) {
  std::vector<double> values;
  values.reserve(rounds.size());
  for (const OnlineRound& round : rounds) {
    if (!std::isnan(round.confidence)) values.push_back(round.confidence);
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

/// Losses by confidence, of the rounds that were added.
class LossTable {
 public:
  explicit LossTable(std::span<const OnlineRound> rounds)
      : values_(distinct_confidences(rounds)), difference_(values_.size()) {}

  void add(const OnlineRound& round) {
    offload_all_ += round.offload_loss;
    if (std::isnan(round.confidence)) return;
    const auto at = std::lower_bound(values_.begin(), values_.end(), round.confidence);
    difference_[static_cast<std::size_t>(at - values_.begin())] +=
        round.keep_loss - round.offload_loss;
  }

  [[nodiscard]] BestThreshold best() const {
    BestThreshold best{kInfinity, offload_all_};
    double cost = offload_all_;
    for (std::size_t i = values_.size(); i > 0; --i) {
      cost += difference_[i - 1];
      if (cost < best.cost) best = {values_[i - 1], cost};
    }
    return best;
  }

 private:
  std::vector<double> values_;
  std::vector<double> difference_;  ///< What keeping costs more, by confidence.
  double offload_all_ = 0;
};

double keep_all_cost(std::span<const OnlineRound> rounds) {
  double cost = 0;
  for (const OnlineRound& round : rounds) {
    cost += std::isnan(round.confidence) ? round.offload_loss : round.keep_loss;
  }
  return cost;
}

double offload_all_cost(std::span<const OnlineRound> rounds) {
  double cost = 0;
  for (const OnlineRound& round : rounds) cost += round.offload_loss;
  return cost;
}

double best_by_segment(const OnlineStream& stream) {
  double cost = 0;
  for (std::size_t i = 0; i < stream.segments.size(); ++i) {
    const std::size_t begin = stream.segments[i];
    const std::size_t end =
        i + 1 < stream.segments.size() ? stream.segments[i + 1] : stream.rounds.size();
    cost += best_fixed_threshold(std::span(stream.rounds).subspan(begin, end - begin)).cost;
  }
  return cost;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) / 2];
}

/// What the policies of one repetition are held against.
struct Bounds {
  double images = 0;
  std::vector<double> best;  ///< By checkpoint.
  double always = 0;
  double never = 0;
  std::optional<double> tracking;
};

Bounds bounds_of(const OnlineStream& stream, std::span<const std::size_t> checkpoints) {
  Bounds bounds{static_cast<double>(stream.rounds.size()), best_costs(stream.rounds, checkpoints),
                offload_all_cost(stream.rounds), keep_all_cost(stream.rounds), std::nullopt};
  if (stream.segments.size() > 1) bounds.tracking = best_by_segment(stream);
  return bounds;
}

/// Values of each repetition.
struct Collected {
  std::vector<double> cost, accuracy, offload_share, regret, always, never, tracking, threshold;
  std::vector<std::vector<double>> curve;  ///< By checkpoint.
};

void collect(const OnlineRun& run, const Bounds& bounds, Collected& collected) {
  const double cost = run.cost.back();
  collected.cost.push_back(cost / bounds.images);
  collected.accuracy.push_back(static_cast<double>(run.right) / bounds.images);
  collected.offload_share.push_back(static_cast<double>(run.offloads) / bounds.images);
  collected.regret.push_back(cost - bounds.best.back());
  collected.always.push_back(cost - bounds.always);
  collected.never.push_back(cost - bounds.never);
  collected.threshold.push_back(run.threshold);
  if (bounds.tracking) collected.tracking.push_back(cost - *bounds.tracking);
  collected.curve.resize(bounds.best.size());
  for (std::size_t i = 0; i < bounds.best.size(); ++i) {
    collected.curve[i].push_back(run.cost[i] - bounds.best[i]);
  }
}

OnlineSummary summarize(const Collected& collected, std::vector<std::size_t> checkpoints) {
  OnlineSummary summary;
  summary.images = checkpoints.back();
  summary.repetitions = collected.cost.size();
  summary.cost = mean_over(collected.cost);
  summary.accuracy = mean_over(collected.accuracy);
  summary.offload_share = mean_over(collected.offload_share);
  summary.regret = mean_over(collected.regret);
  summary.against_always = mean_over(collected.always);
  summary.against_never = mean_over(collected.never);
  if (!collected.tracking.empty()) summary.tracking = mean_over(collected.tracking);
  summary.threshold = median(collected.threshold);
  std::vector<double> means;
  for (const std::vector<double>& values : collected.curve) {
    summary.curve.push_back(mean_over(values));
    means.push_back(summary.curve.back().mean);
  }
  summary.growth = growth_exponent(checkpoints, means);
  summary.checkpoints = std::move(checkpoints);
  return summary;
}

}  // namespace

BestThreshold best_fixed_threshold(std::span<const OnlineRound> rounds) {
  LossTable table(rounds);
  for (const OnlineRound& round : rounds) table.add(round);
  return table.best();
}

std::vector<double> best_costs(std::span<const OnlineRound> rounds,
                               std::span<const std::size_t> checkpoints) {
  LossTable table(rounds);
  std::vector<double> costs;
  std::size_t done = 0;
  for (const std::size_t checkpoint : checkpoints) {
    for (; done < checkpoint; ++done) table.add(rounds[done]);
    costs.push_back(table.best().cost);
  }
  return costs;
}

std::vector<std::size_t> log_checkpoints(std::size_t images, std::size_t points) {
  std::vector<std::size_t> checkpoints;
  for (std::size_t i = 1; i <= points && images > 0; ++i) {
    const double exponent = static_cast<double>(i) / static_cast<double>(points);
    auto at = static_cast<std::size_t>(std::pow(static_cast<double>(images), exponent));
    at = i == points ? images : std::clamp<std::size_t>(at, 1, images);
    if (checkpoints.empty() || at > checkpoints.back()) checkpoints.push_back(at);
  }
  return checkpoints;
}

OnlineRun play(OnlinePolicy policy, std::span<const OnlineRound> rounds, OnlineFeedback feedback,
               std::span<const std::size_t> checkpoints) {
  OnlineRun run;
  run.cost.reserve(checkpoints.size());
  double cost = 0;
  std::size_t done = 0;
  for (const std::size_t checkpoint : checkpoints) {
    for (; done < checkpoint; ++done) {
      const OnlineRound& round = rounds[done];
      const bool offloaded = policy.offload(round.confidence);
      cost += offloaded ? round.offload_loss : round.keep_loss;
      run.right += (offloaded ? round.server_right : round.local_right) ? 1U : 0U;
      if (!offloaded) continue;
      ++run.offloads;
      if (feedback == OnlineFeedback::kServer) {
        policy.feedback(round.agree);
      } else {
        policy.feedback(round.local_right, round.server_right);
      }
    }
    run.cost.push_back(cost);
  }
  run.threshold = policy.threshold();
  return run;
}

OnlineMean mean_over(std::span<const double> values) {
  OnlineMean result;
  const auto count = static_cast<double>(values.size());
  for (const double value : values) result.mean += value;
  result.mean /= count;
  double squares = 0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  if (values.size() < 2) return result;
  const double stddev = std::sqrt(squares / (count - 1));
  // Sums of the same losses in another order differ in their last digits.
  if (stddev < 1e-9 * std::max(1.0, std::abs(result.mean))) return result;
  result.ci95 = mean_interval(result.mean, stddev, values.size());
  return result;
}

std::optional<double> growth_exponent(std::span<const std::size_t> images,
                                      std::span<const double> regret) {
  double count = 0;
  double x_sum = 0;
  double y_sum = 0;
  double xx_sum = 0;
  double xy_sum = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (static_cast<double>(images[i]) * kGrowthSpan < static_cast<double>(images.back())) continue;
    if (!(regret[i] > 0)) return std::nullopt;
    const double x = std::log(static_cast<double>(images[i]));
    const double y = std::log(regret[i]);
    count += 1;
    x_sum += x;
    y_sum += y;
    xx_sum += x * x;
    xy_sum += x * y;
  }
  if (count < 3) return std::nullopt;
  return (count * xy_sum - x_sum * y_sum) / (count * xx_sum - x_sum * x_sum);
}

std::vector<OnlineSummary> repeat_online(const std::function<OnlineStream(std::size_t)>& stream_of,
                                         std::span<const PolicyMaker> makers,
                                         OnlineFeedback feedback, std::size_t repetitions,
                                         const std::function<bool()>& stop) {
  std::vector<Collected> collected(makers.size());
  std::vector<std::size_t> checkpoints;
  for (std::size_t r = 0; r < std::max<std::size_t>(repetitions, 1); ++r) {
    if (r > 0 && stop()) break;
    const OnlineStream stream = stream_of(r);
    if (stream.rounds.empty()) throw bad_input("no images to learn from");
    if (r == 0) checkpoints = log_checkpoints(stream.rounds.size(), kCurvePoints);
    const Bounds bounds = bounds_of(stream, checkpoints);
    for (std::size_t i = 0; i < makers.size(); ++i) {
      collect(play(makers[i](r, stream), stream.rounds, feedback, checkpoints), bounds,
              collected[i]);
    }
  }
  std::vector<OnlineSummary> summaries;
  for (const Collected& values : collected) summaries.push_back(summarize(values, checkpoints));
  return summaries;
}

}  // namespace hedge
