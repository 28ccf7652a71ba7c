// SPDX-License-Identifier: Apache-2.0
#include "measure/steady.h"

#include <algorithm>
#include <cmath>

namespace hedge {
namespace {

constexpr std::size_t kFewestSamples = 5;
constexpr std::size_t kMostSamples = 4096;  // A power of two, for thinning.
constexpr std::int64_t kLeast_ns = 40'000'000;
constexpr std::int64_t kShareOfBefore = 3;  // One third.
constexpr double kTolerance = 0.02;
constexpr double kErrors = 3;
/// Standard error of a normal sample's median, in median absolute deviations over the root of n:
/// 1.2533 (efficiency of the median) times 1.4826 (a standard deviation in such deviations).
constexpr double kMedianError = 1.2533 * 1.4826;

double median_of(std::vector<std::int64_t>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return static_cast<double>(*middle);
}

}  // namespace

SteadyDetector::SteadyDetector() {
  samples_.reserve(kMostSamples);
}

void SteadyDetector::add(std::int64_t ns) {
  if (seen_++ % stride_ == 0) {
    if (samples_.size() == kMostSamples) {
      for (std::size_t i = 0; i < kMostSamples / 2; ++i) samples_[i] = samples_[2 * i];
      samples_.resize(kMostSamples / 2);
      stride_ *= 2;
    }
    // After thinning this one may lie between two strides: the next one does not.
    if ((seen_ - 1) % stride_ == 0) samples_.push_back(ns);
  }
  window_ns_ += ns;
  if (samples_.size() < kFewestSamples) return;
  if (window_ns_ < std::max(kLeast_ns, before_ns_ / kShareOfBefore)) return;
  close_window();
}

void SteadyDetector::close_window() {
  Window window;
  window.median_ns = median_of(samples_);
  const double count = static_cast<double>(samples_.size());
  for (std::int64_t& sample : samples_) {
    sample = std::abs(sample - static_cast<std::int64_t>(window.median_ns));
  }
  window.error_ns = kMedianError * median_of(samples_) / std::sqrt(count);
  last_[closed_ % kWindows] = window;
  ++closed_;
  before_ns_ += window_ns_;
  window_ns_ = 0;
  samples_.clear();
  stride_ = 1;
  seen_ = 0;
  if (closed_ < kWindows) return;
  const auto [low, high] = std::minmax_element(
      last_.begin(), last_.end(),
      [](const Window& a, const Window& b) { return a.median_ns < b.median_ns; });
  const double error = std::hypot(low->error_ns, high->error_ns);
  steady_ =
      high->median_ns - low->median_ns <= std::max(kTolerance * low->median_ns, kErrors * error);
}

std::optional<double> SteadyDetector::level_ns() const noexcept {
  if (closed_ == 0) return std::nullopt;
  return last_[(closed_ - 1) % kWindows].median_ns;
}

}  // namespace hedge
