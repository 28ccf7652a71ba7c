// SPDX-License-Identifier: Apache-2.0
#include "hi/online/online_ucb.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::size_t kFirstImagesPerBin = 8;

/// Relative entropy of coins that fall with probability p and q, nats; 0 < q < 1.
double relative_entropy(double p, double q) noexcept {
  const double heads = p > 0 ? p * std::log(p / q) : 0;
  const double tails = p < 1 ? (1 - p) * std::log((1 - p) / (1 - q)) : 0;
  return heads + tails;
}

}  // namespace

UpperConfidencePolicy::UpperConfidencePolicy(const UcbOptions& options) : options_(options) {
  require_valid(options.costs);
  if (options.bins < 1 || options.bins > 4096) {
    throw bad_input(fmt::format("{} bins: state 1 to 4096", options.bins));
  }
  if (options.memory < 0 || options.memory == 1) {
    throw bad_input(
        fmt::format("memory {}: state 0 (endless) or at least 2 images", options.memory));
  }
  if (!(options.width > 0 && std::isfinite(options.width))) {
    throw bad_input(fmt::format("width {}: state a number above 0", options.width));
  }
  const double server_error = options.costs.server_error;
  target_ = (options.costs.offload + server_error) / (1 + server_error);
  bins_.resize(options.bins);
  first_.resize(kFirstImagesPerBin * options.bins);
}

double UpperConfidencePolicy::limit() const noexcept {
  std::int64_t images = std::max<std::int64_t>(step_, 2);
  if (options_.memory > 0) images = std::min(images, options_.memory);
  return options_.width * std::log(static_cast<double>(images));
}

/// A bin for each of the confidences that came first where these are few, else borders at their
/// quantiles.
void UpperConfidencePolicy::make_bins() noexcept {
  std::sort(first_.begin(), first_.end(),
            [](const Seen& a, const Seen& b) { return a.confidence < b.confidence; });
  std::size_t distinct = 1;
  for (std::size_t i = 1; i < first_.size(); ++i) {
    distinct += first_[i].confidence > first_[i - 1].confidence ? 1U : 0U;
  }
  const std::size_t stride = distinct <= options_.bins ? 1 : kFirstImagesPerBin;
  for (std::size_t i = 0; i < first_.size(); i += stride) {
    const double border = first_[i].confidence;
    if (bin_count_ > 0 && border == bins_[bin_count_ - 1].lower) continue;
    bins_[bin_count_++] = {.lower = border};
  }
  for (const Seen& seen : first_) add(bins_[bin_of(seen.confidence)], seen);
}

std::size_t UpperConfidencePolicy::bin_of(double confidence) const noexcept {
  const auto above =
      std::upper_bound(bins_.begin(), bins_.begin() + static_cast<std::ptrdiff_t>(bin_count_),
                       confidence, [](double value, const Bin& bin) { return value < bin.lower; });
  return above == bins_.begin() ? 0 : static_cast<std::size_t>(above - bins_.begin()) - 1;
}

void UpperConfidencePolicy::add(Bin& bin, const Seen& seen) noexcept {
  bin.count += 1;
  bin.excess += seen.excess;
  bin.errors += seen.error;
}

double UpperConfidencePolicy::kept_error_rate(std::size_t bin) const noexcept {
  const double needed = limit();
  double count = 0;
  double excess = 0;
  double errors = 0;
  for (std::size_t i = bin + 1; i > 0; --i) {
    count += bins_[i - 1].count;
    excess += bins_[i - 1].excess;
    errors += bins_[i - 1].errors;
    const double mean = excess / count;
    if (mean < target_) {
      const double distance = options_.bound == ConfidenceBound::kKl
                                  ? relative_entropy(mean, target_)
                                  : 2 * (target_ - mean) * (target_ - mean);
      if (count * distance > needed) return errors / count;
    }
    if (!options_.monotone) break;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

bool UpperConfidencePolicy::offload(double confidence) noexcept {
  waiting_ = false;
  if (std::isnan(confidence)) return tally_.count(true, options_.costs);
  ++step_;
  confidence_ = confidence;
  if (options_.memory > 0) {
    const double keep = 1 - 1 / static_cast<double>(options_.memory);
    for (Bin& bin : std::span(bins_).first(bin_count_)) {
      bin.count *= keep;
      bin.excess *= keep;
      bin.errors *= keep;
    }
  }
  const double error_rate = bin_count_ == 0 ? std::numeric_limits<double>::quiet_NaN()
                                            : kept_error_rate(bin_of(confidence));
  waiting_ = std::isnan(error_rate);
  if (!waiting_) tally_.kept_errors += error_rate;
  return tally_.count(waiting_, options_.costs);
}

void UpperConfidencePolicy::feedback(bool local_was_right, bool server_was_right) noexcept {
  tally_.add_server_answer(server_was_right, options_.costs);
  if (!waiting_) return;
  waiting_ = false;
  const double server_error = options_.costs.server_error;
  const double error = local_was_right ? 0 : 1;
  const double excess = (error + (server_was_right ? server_error : 0)) / (1 + server_error);
  const Seen seen{confidence_, excess, error};
  if (bin_count_ > 0) {
    add(bins_[bin_of(confidence_)], seen);
    return;
  }
  first_[first_count_++] = seen;
  if (first_count_ == first_.size()) make_bins();
}

double UpperConfidencePolicy::threshold() const noexcept {
  for (std::size_t i = 0; i < bin_count_; ++i) {
    if (!std::isnan(kept_error_rate(i))) return bins_[i].lower;
  }
  return std::numeric_limits<double>::infinity();
}

}  // namespace hedge
