// SPDX-License-Identifier: Apache-2.0
#include "hi/online/online_hedge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "hedge/error.h"

namespace hedge {
namespace {

/// A weight below it would end as a denormal number or 0, from which nothing grows again.
constexpr double kLeastWeight = 1e-290;
/// The rate falls in steps of images by a tenth: at most 7 % above its formula.
constexpr double kRateStep = 1.1;

double sum_of(std::span<const double> values) noexcept {
  double a = 0;
  double b = 0;
  std::size_t i = 0;
  for (; i + 2 <= values.size(); i += 2) {
    a += values[i];
    b += values[i + 1];
  }
  return i < values.size() ? a + b + values[i] : a + b;
}

void require_valid_options(const HedgeOptions& options) {
  require_valid(options.costs);
  if (!std::isfinite(options.low) || !std::isfinite(options.high) || options.low >= options.high) {
    throw bad_input(
        fmt::format("range of confidence {} to {}: two numbers, the first below the "
                    "second, are needed",
                    options.low, options.high));
  }
  if (options.experts < 2 || options.experts > 65536) {
    throw bad_input(fmt::format("{} experts: state 2 to 65536", options.experts));
  }
  if (options.horizon < 0 || options.memory < 0) {
    throw bad_input(fmt::format("horizon {} and memory {}: state 0 (unknown, endless) or more",
                                options.horizon, options.memory));
  }
  if (options.exploration && !(*options.exploration >= 0 && *options.exploration <= 1)) {
    throw bad_input(
        fmt::format("exploration {}: state a probability, 0 to 1", *options.exploration));
  }
  if (options.learning_rate &&
      !(*options.learning_rate > 0 && std::isfinite(*options.learning_rate))) {
    throw bad_input(
        fmt::format("learning rate {}: state a number above 0", *options.learning_rate));
  }
}

}  // namespace

void require_valid(const OnlineCosts& costs) {
  if (!(costs.offload >= 0 && costs.offload < 1)) {
    throw bad_input(
        fmt::format("cost of offloading {}: state it relative to a wrong answer, from 0 "
                    "to below 1",
                    costs.offload));
  }
  if (!(costs.server_error >= 0 && costs.server_error <= 1)) {
    throw bad_input(fmt::format("cost of a server's error {}: state 0 to 1", costs.server_error));
  }
}

HedgePolicy::HedgePolicy(const HedgeOptions& options)
    : options_(options),
      log_experts_(std::log(static_cast<double>(options.experts))),
      random_(options.seed) {
  require_valid_options(options);
  // Beyond either end lie the thresholds that keep nothing and everything.
  const double margin = (options.high - options.low) / static_cast<double>(options.experts);
  begin_ = options.low - margin;
  upper_.assign(options.experts, options.high + margin);
  mass_.assign(options.experts, 1);
  weight_.assign(options.experts, 1);
  set_rate();
}

/// Cost of offloading all images to come; that of an unknown horizon which gives the best constants
/// (docs/online.md) at this image.
double HedgePolicy::budget() const noexcept {
  const std::int64_t horizon = options_.memory > 0 ? options_.memory : options_.horizon;
  const double images = horizon > 0 ? static_cast<double>(horizon)
                                    : 1.5 * static_cast<double>(std::max<std::int64_t>(step_, 1));
  return options_.costs.offload * images;
}

double HedgePolicy::exploration() const noexcept {
  return options_.exploration.value_or(std::min(1.0, std::cbrt(log_experts_ / (2 * budget()))));
}

double HedgePolicy::best_rate() const noexcept {
  if (options_.learning_rate) return *options_.learning_rate;
  if (options_.costs.offload == 0) return 1;  // Nothing to weigh: to offload is free.
  double explore = exploration();
  if (explore == 0) explore = std::min(1.0, std::cbrt(log_experts_ / (2 * budget())));
  return std::sqrt(2 * explore * log_experts_ / budget());
}

void HedgePolicy::set_rate() noexcept {
  const double before = rate_;
  rate_ = best_rate();
  next_rate_ = static_cast<std::int64_t>(static_cast<double>(step_) * kRateStep) + 1;
  if (options_.horizon > 0 || options_.memory > 0 || options_.learning_rate) {
    next_rate_ = std::numeric_limits<std::int64_t>::max();
  }
  if (before == 0 || before == rate_) return;
  // weight = mass * e^(-rate * loss), so another rate is a power of weight / mass.
  const double power = rate_ / before;
  double sum = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    weight_[i] = mass_[i] * std::pow(weight_[i] / mass_[i], power);
    sum += weight_[i];
  }
  for (double& weight : weights()) weight = std::max(weight / sum, kLeastWeight);
}

/// The interval of `confidence`, split there while there is room. Where there is none its
/// thresholds count as evenly spread.
void HedgePolicy::find(double confidence) noexcept {
  const double value = std::clamp(confidence, options_.low, options_.high);
  const auto end = upper_.begin() + static_cast<std::ptrdiff_t>(count_);
  at_ = static_cast<std::size_t>(std::lower_bound(upper_.begin(), end, value) - upper_.begin());
  keeping_ = 1;
  if (upper_[at_] == value) return;
  const double lower = at_ == 0 ? begin_ : upper_[at_ - 1];
  const double below = (value - lower) / (upper_[at_] - lower);
  if (count_ == options_.experts) {
    keeping_ = below;
    return;
  }
  for (std::vector<double>* values : {&upper_, &mass_, &weight_}) {
    const auto place = values->begin() + static_cast<std::ptrdiff_t>(at_);
    const auto last = values->begin() + static_cast<std::ptrdiff_t>(count_);
    std::copy_backward(place, last, last + 1);
  }
  ++count_;
  upper_[at_] = value;
  mass_[at_] *= below;
  mass_[at_ + 1] *= 1 - below;
  weight_[at_] = std::max(weight_[at_] * below, kLeastWeight);
  weight_[at_ + 1] = std::max(weight_[at_ + 1] * (1 - below), kLeastWeight);
}

bool HedgePolicy::offload(double confidence) noexcept {
  waiting_ = false;
  if (std::isnan(confidence)) return tally_.count(true, options_.costs);
  if (++step_ >= next_rate_) set_rate();
  find(confidence);
  const std::span<const double> all = weights();
  const double keep = sum_of(all.first(at_)) + all[at_] * keeping_;
  const double offload = sum_of(all.subspan(at_ + 1)) + all[at_] * (1 - keeping_);
  const double explore = exploration();
  probability_ = explore + (1 - explore) * offload / (keep + offload);
  waiting_ = random_.uniform() < probability_;
  // What offloading would have cost is known at once where the answer is kept, all but the server's
  // errors; what keeping costs counts only where it is seen.
  if (!waiting_) update(0, options_.costs.offload);
  return tally_.count(waiting_, options_.costs);
}

void HedgePolicy::feedback(bool local_was_right, bool server_was_right) noexcept {
  tally_.add_server_answer(server_was_right, options_.costs);
  if (!waiting_) return;
  waiting_ = false;
  const double wrong = local_was_right ? 0 : 1 / probability_;
  // Unbiased: an offloaded image stands for (1 - p) / p that were kept.
  tally_.kept_errors += wrong * (1 - probability_);
  const double server = server_was_right ? 0 : options_.costs.server_error / probability_;
  update(wrong, options_.costs.offload + server);
}

void HedgePolicy::update(double keep_loss, double offload_loss) noexcept {
  const double keep = std::exp(-rate_ * keep_loss);
  const double offload = std::exp(-rate_ * offload_loss);
  const std::span<double> all = weights();
  for (double& weight : all.first(at_)) weight *= keep;
  all[at_] *= keeping_ * keep + (1 - keeping_) * offload;
  for (double& weight : all.subspan(at_ + 1)) weight *= offload;
  const double share = options_.memory > 0 ? 1 / static_cast<double>(options_.memory) : 0;
  const double scale = (1 - share) / sum_of(all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = std::max(all[i] * scale + share * mass_[i], kLeastWeight);
  }
}

double HedgePolicy::threshold() const noexcept {
  const double half = sum_of(weights()) / 2;
  double sum = 0;
  for (std::size_t i = 0; i + 1 < count_; ++i) {
    sum += weight_[i];
    if (sum >= half) return upper_[i];
  }
  return std::numeric_limits<double>::infinity();
}

}  // namespace hedge
