// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/clock.h"
#include "measure/latency.h"
#include "measure/timer.h"
#include "result/result.h"
#include "stats/ratio.h"
#include "stats/summary.h"

namespace hedge {

enum class ComparisonVerdict : std::uint8_t {
  kAFaster,
  kBFaster,
  kNoDifference,
  kUnknown,       ///< No interval is known.
  kTooFewRounds,  ///< Of fewer than kFewestRounds.
  kWithinMargin,  ///< Measured apart, and within kApartMargin.
};

/// "A is faster", "no difference that this data shows", "no verdict: ...".
[[nodiscard]] std::string_view to_string(ComparisonVerdict verdict) noexcept;

/// A difference only where the interval of the ratio leaves 1 out: of fifty comparisons of equal
/// contenders about one says so.
[[nodiscard]] ComparisonVerdict verdict_of(const RatioEstimate& ratio) noexcept;

/// By how much two runs of equals, measured apart, may differ beyond what their intervals say:
/// where memory lies is drawn but once in each (1.4 % was seen), and clocks and heat are other
/// ones.
inline constexpr double kApartMargin = 0.02;

/// Of two runs measured apart: a difference only where the interval leaves out all from
/// 1 / (1 + kApartMargin) to 1 + kApartMargin.
[[nodiscard]] ComparisonVerdict verdict_apart(const RatioEstimate& ratio) noexcept;

/// Where memory lies is drawn anew for each round, so that fewer cannot tell it from a difference.
inline constexpr std::size_t kFewestRounds = 3;

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
/// The same of pairs in rounds that begin at these pairs (ratio_over_rounds); of fewer than
/// kFewestRounds there is a ratio and no verdict.
[[nodiscard]] ComparisonResult compare_samples(std::span<const std::int64_t> a_ns,
                                               std::span<const std::int64_t> b_ns,
                                               std::span<const std::size_t> begins);

/// VALID, or INVALID with reasons: fewer than kFewestRounds; a timer that adds more than
/// kMostTimerShare to the faster one's median, which draws the ratio to 1; cut short; what is
/// serious in the conditions, for neighbours and throttling need not slow both alike. Steps and
/// drift are none, since they meet both, nor are spread and outliers, which the interval holds.
[[nodiscard]] Validity judge_comparison(const ComparisonResult& result,
                                        const TimerOverhead& overhead, bool cut_short,
                                        std::vector<std::string> serious_conditions);

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
