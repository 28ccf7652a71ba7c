// SPDX-License-Identifier: Apache-2.0
#include "quant/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hedge {
namespace {

/// Eight times what the calibrators look at: after merging at least 1,639 of 2,048 bins are in use.
constexpr int kCounterBits = 14;
constexpr std::size_t kCounters = std::size_t{1} << kCounterBits;

/// The smallest width with which `magnitude` (> 0, finite) has a counter.
int exponent_for(float magnitude) {
  return std::ilogb(magnitude) + 1 - kCounterBits;
}

void halve(std::vector<std::uint64_t>& counts) {
  for (std::size_t i = 0; i < counts.size() / 2; ++i) counts[i] = counts[2 * i] + counts[2 * i + 1];
  std::fill(counts.begin() + static_cast<std::ptrdiff_t>(counts.size() / 2), counts.end(), 0);
}

}  // namespace

void MagnitudeCounter::make_room_for(float magnitude) {
  const int wanted = exponent_for(magnitude);
  if (counts_.empty()) {
    counts_.assign(kCounters, 0);
    counts_[0] = zeros_;
    exponent_ = wanted;
  }
  // Doubled more often than there are bits, everything lies in the first counter.
  const int doublings = std::min(wanted - exponent_, kCounterBits + 1);
  for (int i = 0; i < doublings; ++i) halve(counts_);
  exponent_ = std::max(exponent_, wanted);
}

void MagnitudeCounter::add(std::span<const float> values) {
  float maximum = maximum_;
  bool negative = has_negative_;
  std::uint64_t strange = 0;
  for (const float x : values) {
    const float magnitude = std::fabs(x);
    if (!(magnitude <= std::numeric_limits<float>::max())) {
      ++strange;
      continue;
    }
    maximum = std::max(maximum, magnitude);
    negative = negative || x < 0;
  }
  not_finite_ += strange;
  total_ += values.size() - strange;
  has_negative_ = negative;
  if (maximum > maximum_ || (counts_.empty() && maximum > 0)) make_room_for(maximum);
  maximum_ = maximum;
  if (counts_.empty()) {
    zeros_ += values.size() - strange;
    return;
  }
  // A power of two, so that the product is exact; beyond float's range where the values are tiny.
  const double scale = std::ldexp(1.0, -exponent_);
  if (strange == 0 && exponent_ > -120) {
    const auto narrow = static_cast<float>(scale);
    for (const float x : values) ++counts_[static_cast<std::uint32_t>(std::fabs(x) * narrow)];
    return;
  }
  for (const float x : values) {
    if (std::isfinite(x)) ++counts_[static_cast<std::size_t>(std::fabs(double{x}) * scale)];
  }
}

void MagnitudeCounter::merge(const MagnitudeCounter& other) {
  if (other.maximum_ > 0) {
    if (other.maximum_ > maximum_ || counts_.empty())
      make_room_for(std::max(maximum_, other.maximum_));
    std::vector<std::uint64_t> theirs = other.counts_;
    for (int i = std::min(exponent_ - other.exponent_, kCounterBits + 1); i > 0; --i) halve(theirs);
    for (std::size_t i = 0; i < kCounters; ++i) counts_[i] += theirs[i];
  } else if (counts_.empty()) {
    zeros_ += other.zeros_;
  } else {
    counts_[0] += other.zeros_;
  }
  maximum_ = std::max(maximum_, other.maximum_);
  has_negative_ = has_negative_ || other.has_negative_;
  total_ += other.total_;
  not_finite_ += other.not_finite_;
}

Histogram MagnitudeCounter::histogram(std::size_t bins) const {
  if (counts_.empty() || bins == 0) return {};
  const auto last =
      static_cast<std::size_t>(std::ldexp(double{maximum_}, -exponent_));  // Has the maximum.
  const std::size_t group = (last + bins) / bins;
  Histogram merged{std::vector<std::uint64_t>(last / group + 1, 0),
                   std::ldexp(static_cast<double>(group), exponent_)};
  for (std::size_t i = 0; i <= last; ++i) merged.counts[i / group] += counts_[i];
  return merged;
}

}  // namespace hedge
