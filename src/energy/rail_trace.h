// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "energy/power_meter.h"

namespace hedge {

/// A value that a sensor showed, from the reading that found it first to the last one that found it
/// still there. The sensor refreshed somewhere between the `until_ns` of the point before and
/// `time_ns`.
struct TracePoint {
  std::int64_t time_ns = 0;
  std::int64_t until_ns = 0;
  double value = 0;  ///< Watts, or joules of a counter that neither wraps nor jumps back any more.
  /// Between the point before and this one nothing is known: no reading, or the counter was reset.
  bool after_gap = false;
};

/// What one rail showed over time. Readings that repeat a value are one point, so that points are
/// the distinct samples of the sensor, however often it was asked; those of a stamped rail are a
/// point each.
class RailTrace {
 public:
  /// Two readings further apart than `gap_ns` have a gap between them.
  RailTrace(Rail rail, std::int64_t gap_ns);

  /// Readings in the order of time; one that is kNoReading is counted and leaves a gap if others do
  /// not follow soon. A counter that falls has wrapped around where its range makes that likely,
  /// and else was reset: then the energy in between is not known.
  void add(const RailReading& reading);

  [[nodiscard]] const Rail& rail() const noexcept { return rail_; }
  [[nodiscard]] std::span<const TracePoint> points() const noexcept { return points_; }
  [[nodiscard]] std::int64_t gap_ns() const noexcept { return gap_ns_; }
  [[nodiscard]] std::int64_t failed_readings() const noexcept { return failed_; }
  [[nodiscard]] std::int64_t readings() const noexcept { return readings_; }
  /// Failed readings after the last one that did not.
  [[nodiscard]] std::int64_t silent_readings() const noexcept { return silent_; }
  [[nodiscard]] std::int64_t resets() const noexcept { return resets_; }
  /// For how long, until then, readings failed: from one that did to the next that did not. Of a
  /// stamped rail, whose failed readings have no time, 0.
  [[nodiscard]] double failing_ns_until(std::int64_t time_ns) const;
  [[nodiscard]] std::int64_t wraps() const noexcept { return wraps_; }

  /// Points kept at most: a run of days drops every second one of a counter and averages pairs of
  /// watts, again and again.
  static constexpr std::size_t kMostPoints = 1U << 20U;

 private:
  /// The counter's reading without wraps and jumps. Tells whether the energy since the last is
  /// unknown.
  double unwrapped(const RailReading& reading, bool& reset);
  void note_failing(const RailReading& reading, bool fails);
  void thin();

  Rail rail_;
  std::int64_t gap_ns_;
  std::vector<TracePoint> points_;
  /// Corners of the line from the time to the time failed until then; an odd number of them while
  /// readings fail.
  struct Failing {
    std::int64_t time_ns;
    std::int64_t total_ns;
  };
  std::vector<Failing> failing_;
  double raw_ = kNoReading;  ///< The counter's last.
  double offset_ = 0;        ///< What wraps and resets took from it.
  std::int64_t readings_ = 0;
  std::int64_t failed_ = 0;
  std::int64_t silent_ = 0;
  std::int64_t resets_ = 0;
  std::int64_t wraps_ = 0;
};

}  // namespace hedge
