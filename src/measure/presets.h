// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "measure/latency.h"
#include "measure/steady.h"

namespace hedge {

enum class Timing : std::uint8_t {
  kLoop,  ///< One timer around many inferences: amortised, no percentiles.
  kEach,  ///< A timer around each.
  kBoth,  ///< The loop first, then each.
};

/// How a latency is to be measured.
struct MeasuringPlan {
  std::string preset;  ///< Empty: none.
  WarmUpRule warm_up = WarmUpRule::automatic();
  RunBound bound{.iterations = 10'000};  ///< Of each repetition.
  std::int64_t repetitions = 1;
  Timing timing = Timing::kBoth;
  /// The percentile that stands for the run; else the mean, of several repetitions the median of
  /// their means.
  std::optional<double> percentile;
};

/// The plan of a preset, the general ones of the field but none of their results:
///   quick          steady, 0.5 s and 400 iterations (p99 then has an interval), loop and each
///   trtexec        200 ms of warm-up, 3 s and 10 iterations at least, each (trtexec's defaults)
///   single-stream  steady, 10 s and 64 iterations at least, p90 (the least counts and the default
///                  duration of MLPerf LoadGen)
///   tiny           steady, five times {10 s and 10 iterations at least}, loop, median of the five
///                  (the run rules of MLPerf Tiny)
/// Throws bad_input for another name, with the nearest.
[[nodiscard]] MeasuringPlan preset_plan(std::string_view name);

/// What the plan comes to, for people: "until steady; 3 s and 10 iterations at least; each timed".
[[nodiscard]] std::string describe(const MeasuringPlan& plan);

/// "warm-up until steady", "200 ms of warm-up", "100 warm-up runs".
[[nodiscard]] std::string describe(const WarmUpRule& rule);

/// "200 ms", "3 s".
[[nodiscard]] std::string duration_text(std::int64_t ns);

/// "loop", "each", "both", and back; throws bad_input for another text.
[[nodiscard]] std::string_view to_string(Timing timing) noexcept;
[[nodiscard]] Timing parse_timing(std::string_view text);

}  // namespace hedge
