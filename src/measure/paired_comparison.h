// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string_view>
#include <utility>

#include "base/cancellation.h"
#include "base/clock.h"
#include "measure/latency.h"
#include "stats/ratio.h"
#include "stats/summary.h"

namespace hedge {

enum class ComparisonVerdict : std::uint8_t { kAFaster, kBFaster, kNoDifference };

/// "A is faster", "B is faster", "no difference that this data shows".
[[nodiscard]] std::string_view to_string(ComparisonVerdict verdict) noexcept;

/// A difference only where the interval of the ratio leaves 1 out: of fifty comparisons of equal
/// contenders about one says so.
[[nodiscard]] ComparisonVerdict verdict_of(const RatioEstimate& ratio) noexcept;

struct ComparisonResult {
  std::size_t pairs = 0;
  std::size_t rounds = 1;
  RatioEstimate ratio;  ///< A to B: below 1 means that A is faster.
  Summary a;
  Summary b;
  ComparisonVerdict verdict = ComparisonVerdict::kNoDifference;
};

/// Throws bad_input when the samples are not in pairs or there are none.
[[nodiscard]] ComparisonResult compare_samples(std::span<const std::int64_t> a_ns,
                                               std::span<const std::int64_t> b_ns);
/// The same of pairs in rounds that begin at these pairs (ratio_over_rounds).
[[nodiscard]] ComparisonResult compare_samples(std::span<const std::int64_t> a_ns,
                                               std::span<const std::int64_t> b_ns,
                                               std::span<const std::size_t> begins);

/// Times A and B side by side, so that whatever drifts (clocks, temperature, neighbours) meets
/// both, and draws at random which of a pair goes first, so that neither profits from the other's
/// cache state. The timed region of each sample is that of LatencyRecorder::time.
///
///   PairedComparison<> comparison(pairs, seed);
///   for (...) {                      // inputs are written here, outside the timed region
///     comparison.run_pair([&] { a->infer(); }, [&] { b->infer(); });
///   }
///   const ComparisonResult result = comparison.result();
///
/// Warm up both before.
template <NanosecondClock Clock = SteadyClock>
class PairedComparison {
 public:
  /// Room for `pairs` is made here; more are allowed. The order of the pairs follows from `seed`
  /// alone, on every platform.
  explicit PairedComparison(std::size_t pairs, std::uint64_t seed = 0, Clock clock = {})
      : bits_(seed), a_(pairs, clock), b_(pairs, clock) {}

  /// Times both once. If one throws, the exception passes through and the comparison is spoiled:
  /// its samples are no longer in pairs and result() refuses them.
  template <class A, class B>
  void run_pair(A&& a, B&& b) {
    if (a_first()) {
      a_.time(std::forward<A>(a));
      b_.time(std::forward<B>(b));
    } else {
      b_.time(std::forward<B>(b));
      a_.time(std::forward<A>(a));
    }
  }

  /// `pairs` times run_pair, until cancelled. Returns the pairs done.
  template <class A, class B>
  std::size_t run(std::size_t pairs, A&& a, B&& b) {
    std::size_t done = 0;
    for (; done < pairs && !cancellation_requested(); ++done) run_pair(a, b);
    return done;
  }

  [[nodiscard]] std::span<const std::int64_t> a_ns() const noexcept { return a_.samples_ns(); }
  [[nodiscard]] std::span<const std::int64_t> b_ns() const noexcept { return b_.samples_ns(); }
  /// Throws bad_input before the first pair.
  [[nodiscard]] ComparisonResult result() const { return compare_samples(a_ns(), b_ns()); }

 private:
  /// One bit of the generator a pair. std::mt19937_64 gives the same bits everywhere, the
  /// standard's distributions do not.
  bool a_first() {
    if (bits_left_ == 0) {
      word_ = bits_();
      bits_left_ = 64;
    }
    const bool bit = (word_ & 1U) != 0;
    word_ >>= 1U;
    --bits_left_;
    return bit;
  }

  std::mt19937_64 bits_;
  std::uint64_t word_ = 0;
  int bits_left_ = 0;
  LatencyRecorder<Clock> a_;
  LatencyRecorder<Clock> b_;
};

}  // namespace hedge
