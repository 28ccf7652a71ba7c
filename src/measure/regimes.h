// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace hedge {

/// Consecutive samples between two changes of the level.
struct Segment {
  std::size_t first = 0;  ///< Index of its first sample.
  std::size_t count = 0;
  double median_ns = 0;
  double mean_ns = 0;
  /// Of the level where it begins, as a fraction of the level before; 0 for the first one.
  double step = 0;
  bool operator==(const Segment&) const = default;
};

/// What became of the level of a run: throttling, steps of frequency, drift.
struct Regimes {
  std::vector<Segment> segments;  ///< In order, over all samples; one where the level held.
  /// From begin to end, as a fraction, where a slope was found but no step.
  std::optional<double> drift;
  /// Whether the segments are of different means while the median held: of some that are slow they
  /// became more, or slower.
  bool of_means = false;
  bool judged = true;  ///< False below kFewestToJudge samples: nothing can be said.

  [[nodiscard]] bool steady() const noexcept { return judged && segments.size() == 1 && !drift; }
};

inline constexpr std::size_t kFewestToJudge = 20;

/// Changes below this fraction are left to the intervals: a reader takes 100 and 102 us for the
/// same machine, and a difference so small is for `compare` to find, by pairs.
inline constexpr double kLeastChange = 0.03;

/// Looks for changes in the ranks of the medians of up to 400 blocks of consecutive samples, which
/// spikes do not move, with noise that may hang together (stats/change_points.h); where these hold,
/// in those of the means of up to 100 blocks. `resolution_ns` is that of the
/// clock: two steps of it are no change. Chance alone finds a change in at most 5 % of steady runs,
/// independent or AR(1) up to rho 0.9, with spikes or without, from 50 autocorrelation times on
/// (tests/measure). Throws
/// bad_input: no samples.
[[nodiscard]] Regimes find_regimes(std::span<const std::int64_t> ns,
                                   std::int64_t resolution_ns = 1);

}  // namespace hedge
