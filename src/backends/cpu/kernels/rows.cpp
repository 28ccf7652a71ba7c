// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/kernels/rows.h"

#include <cmath>
#include <limits>

namespace hedge::cpu::kernels {
namespace {

// Sums go into as many partial sums as the widest vector has floats: the compiler may not reorder
// additions by itself, and the error of short sums is smaller than that of one long one.
constexpr std::int64_t kLanes = 16;

struct NormalizeBody {
  /// Sum of (x - shift), or of its square.
  template <bool kSquare>
  static HEDGE_ALWAYS_INLINE double sum(const float* x, std::int64_t n, float shift) {
    double total = 0;
    std::int64_t i = 0;
    // In blocks, so that a long row does not pile up the error of one float sum.
    while (i + kLanes <= n) {
      float lanes[kLanes] = {};
      const std::int64_t end =
          n - i > 64 * kLanes ? i + 64 * kLanes : i + (n - i) / kLanes * kLanes;
      for (; i < end; i += kLanes) {
        for (std::int64_t l = 0; l < kLanes; ++l) {
          const float d = x[i + l] - shift;
          lanes[l] += kSquare ? d * d : d;
        }
      }
      for (const float lane : lanes) total += double{lane};
    }
    for (; i < n; ++i) {
      const double d = double{x[i]} - double{shift};
      total += kSquare ? d * d : d;
    }
    return total;
  }

  static HEDGE_ALWAYS_INLINE void run(const void* parameters, std::byte* const* buffers) {
    const auto& p = *static_cast<const Normalize*>(parameters);
    const auto* x = reinterpret_cast<const float*>(buffers[0]);
    const auto* scale = reinterpret_cast<const float*>(buffers[1]);
    const auto* bias = reinterpret_cast<const float*>(buffers[2]);
    auto* y = reinterpret_cast<float*>(buffers[3]);
    const auto n = static_cast<double>(p.columns);
    for (std::int64_t r = 0; r < p.rows; ++r, x += p.columns, y += p.columns) {
      // About the first element: the sum of small differences is exact where a large mean is not.
      const double mean = double{x[0]} + sum<false>(x, p.columns, x[0]) / n;
      const auto center = static_cast<float>(mean);
      const double off = mean - double{center};
      const double variance = sum<true>(x, p.columns, center) / n - off * off;
      const auto factor = static_cast<float>(1 / std::sqrt(variance + double{p.epsilon}));
      if (p.channels == 0) {
        for (std::int64_t i = 0; i < p.columns; ++i) {
          y[i] = (x[i] - center) * factor * scale[i] + bias[i];
        }
        continue;
      }
      std::int64_t channel = r * (p.columns / p.plane) % p.channels;
      for (std::int64_t i = 0; i < p.columns; i += p.plane) {
        const float slope = factor * scale[channel];
        const float shift = bias[channel];
        for (std::int64_t j = i; j < i + p.plane; ++j) y[j] = (x[j] - center) * slope + shift;
        channel = channel + 1 == p.channels ? 0 : channel + 1;
      }
    }
  }
};

template <ReduceOp kOp>
struct ReduceBody {
  static constexpr float kStart =
      kOp == ReduceOp::kMax ? -std::numeric_limits<float>::infinity() : 0.F;
  static HEDGE_ALWAYS_INLINE float combine(float a, float b) {
    if constexpr (kOp == ReduceOp::kMax) return a < b || b != b ? b : a;  // A NaN stays.
    return a + b;
  }

  static HEDGE_ALWAYS_INLINE float over_row(const float* x, std::int64_t n) {
    float lanes[kLanes];
    for (float& lane : lanes) lane = kStart;
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (std::int64_t l = 0; l < kLanes; ++l) lanes[l] = combine(lanes[l], x[i + l]);
    }
    float total = kStart;
    for (const float lane : lanes) total = combine(total, lane);
    for (; i < n; ++i) total = combine(total, x[i]);
    return total;
  }

  static HEDGE_ALWAYS_INLINE void run(const void* parameters, std::byte* const* buffers) {
    const auto& p = *static_cast<const Reduce*>(parameters);
    const auto* x = reinterpret_cast<const float*>(buffers[0]);
    auto* y = reinterpret_cast<float*>(buffers[1]);
    const float factor = kOp == ReduceOp::kMean ? 1.F / static_cast<float>(p.reduced) : 1.F;
    for (std::int64_t o = 0; o < p.outer; ++o, x += p.reduced * p.inner, y += p.inner) {
      if (p.inner == 1) {
        y[0] = over_row(x, p.reduced) * factor;
        continue;
      }
      for (std::int64_t i = 0; i < p.inner; ++i) y[i] = kStart;
      for (std::int64_t r = 0; r < p.reduced; ++r) {
        for (std::int64_t i = 0; i < p.inner; ++i) y[i] = combine(y[i], x[r * p.inner + i]);
      }
      for (std::int64_t i = 0; i < p.inner; ++i) y[i] *= factor;
    }
  }
};

}  // namespace

Run normalize_kernel(Isa isa) {
  return choose<NormalizeBody>(isa);
}

Run reduce_kernel(ReduceOp op, Isa isa) {
  switch (op) {
    case ReduceOp::kSum:
      return choose<ReduceBody<ReduceOp::kSum>>(isa);
    case ReduceOp::kMean:
      return choose<ReduceBody<ReduceOp::kMean>>(isa);
    case ReduceOp::kMax:
      break;
  }
  return choose<ReduceBody<ReduceOp::kMax>>(isa);
}

}  // namespace hedge::cpu::kernels
