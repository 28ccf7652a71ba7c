// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace hedge {

/// Standard normal values by G. Marsaglia's polar method, because the standard's distribution
/// differs from library to library.
class NormalNoise {
 public:
  explicit NormalNoise(std::uint64_t seed) : random_(seed) {}
  double operator()() {
    if (has_second_) {
      has_second_ = false;
      return second_;
    }
    double x = 0;
    double y = 0;
    double square = 0;
    do {
      x = uniform();
      y = uniform();
      square = x * x + y * y;
    } while (square >= 1 || square == 0);
    const double factor = std::sqrt(-2 * std::log(square) / square);
    second_ = y * factor;
    has_second_ = true;
    return x * factor;
  }

 private:
  double uniform() { return static_cast<double>(random_() >> 11U) * 0x1p-52 - 1; }

  std::mt19937_64 random_;
  double second_ = 0;
  bool has_second_ = false;
};

/// AR(1) noise: durations of that mean and standard deviation whose neighbours correlate by `rho`.
inline std::vector<double> ar1_series(std::size_t count, double rho, double mean, double stddev,
                                      NormalNoise& noise) {
  std::vector<double> series(count);
  const double innovation = std::sqrt(1 - rho * rho);
  double x = noise();
  for (double& value : series) {
    value = mean + stddev * x;
    x = rho * x + innovation * noise();
  }
  return series;
}

inline std::vector<std::int64_t> rounded(const std::vector<double>& series) {
  std::vector<std::int64_t> ns(series.size());
  for (std::size_t i = 0; i < series.size(); ++i) ns[i] = std::llround(series[i]);
  return ns;
}

// Simulations: the sanitizers look at the code, not at the coverage.
#if defined(__has_feature)
#define HEDGE_HAS_FEATURE(name) __has_feature(name)
#else
#define HEDGE_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HEDGE_HAS_FEATURE(address_sanitizer)
inline constexpr int kSimulatedRuns = 1000;
#else
inline constexpr int kSimulatedRuns = 4000;
#endif

}  // namespace hedge
