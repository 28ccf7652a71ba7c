// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/clock.h"
#include "measure/timer.h"

namespace hedge {

/// Says when durations have become steady: the medians of the last three windows agree within 2 %,
/// or within three of their own standard errors where they are noisier than that. A window holds at
/// least 5 samples, 40 ms, and a third of what came before it, so that the three cover more than
/// half of a long warm-up and a ramp is not taken for a level. One slower than a quarter a second
/// is, for nobody can wait long enough: find_regimes sees it afterwards. Pure: it reads no clock.
class SteadyDetector {
 public:
  SteadyDetector();
  void add(std::int64_t ns);
  [[nodiscard]] bool steady() const noexcept { return steady_; }
  /// Median of the last whole window; nothing before the first one is full.
  [[nodiscard]] std::optional<double> level_ns() const noexcept;

 private:
  struct Window {
    double median_ns = 0;
    double error_ns = 0;  ///< Standard error of the median.
  };
  void close_window();

  static constexpr std::size_t kWindows = 3;
  std::vector<std::int64_t> samples_;  ///< Of the window under way; of very many every 2^n-th.
  std::int64_t stride_ = 1;
  std::int64_t seen_ = 0;  ///< Samples of the window under way.
  std::int64_t window_ns_ = 0;
  std::int64_t before_ns_ = 0;  ///< All whole windows.
  std::array<Window, kWindows> last_{};
  std::size_t closed_ = 0;
  bool steady_ = false;
};

/// When a warm-up ends.
struct WarmUpRule {
  std::int64_t least_runs = 0;
  std::int64_t least_ns = 0;
  /// Whether it then goes on until a SteadyDetector is content, up to the bounds.
  bool until_steady = false;
  std::int64_t most_runs = 100'000'000;
  std::int64_t most_ns = 10'000'000'000;

  /// Exactly that many runs, or runs for at least that long.
  static WarmUpRule runs(std::int64_t runs) { return {.least_runs = runs}; }
  static WarmUpRule duration(std::int64_t ns) { return {.least_ns = ns}; }
  /// 100 runs, then until steady: at most 10 s (and kFewestRuns, of a slow model).
  static WarmUpRule automatic() { return {.least_runs = 100, .until_steady = true}; }

  /// Runs that a detector needs to say anything, which the bound in time must allow.
  static constexpr std::int64_t kFewestRuns = 15;
};

/// What a warm-up was.
struct WarmUp {
  std::int64_t runs = 0;
  std::int64_t duration_ns = 0;
  std::optional<std::int64_t> cold_ns;  ///< The very first run: first inference after loading.
  std::optional<double> level_ns;       ///< Median of the last window.
  std::optional<bool> settled;          ///< Absent where the rule did not ask for it.

  /// What a call is thought to take: too much rather than too little, where nothing is known.
  [[nodiscard]] double expected_ns() const noexcept {
    constexpr std::int64_t kUnknown_ns = 1'000'000;
    return level_ns.value_or(static_cast<double>(cold_ns.value_or(kUnknown_ns)));
  }
};

/// Calls `callable()` by the rule, each call timed. A cancellation ends it after the call under
/// way.
template <class Callable, NanosecondClock Clock = SteadyClock>
WarmUp warm_up_calls(Callable&& callable, const WarmUpRule& rule, Clock clock = {}) {
  WarmUp warm_up;
  SteadyDetector detector;
  const auto goes_on = [&] {
    if (cancellation_requested()) return false;
    if (warm_up.runs < rule.least_runs &&
        (!rule.until_steady || warm_up.duration_ns < rule.most_ns))
      return true;
    if (warm_up.duration_ns < rule.least_ns) return true;
    if (!rule.until_steady || detector.steady()) return false;
    return warm_up.runs < WarmUpRule::kFewestRuns ||
           (warm_up.runs < rule.most_runs && warm_up.duration_ns < rule.most_ns);
  };
  const std::int64_t begin = clock.now_ns();
  while (goes_on()) {
    const std::int64_t from = clock.now_ns();
    callable();
    const std::int64_t to = clock.now_ns();
    if (warm_up.runs == 0) warm_up.cold_ns = to - from;
    detector.add(to - from);
    ++warm_up.runs;
    warm_up.duration_ns = to - begin;
  }
  if (rule.until_steady) warm_up.settled = detector.steady();
  warm_up.level_ns = detector.level_ns();
  return warm_up;
}

}  // namespace hedge
