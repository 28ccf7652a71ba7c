// SPDX-License-Identifier: Apache-2.0
#include "energy/rail_trace.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace hedge {
namespace {

/// No rail that Hedge meets draws more. A counter that would have is no counter that wrapped.
constexpr double kMostWatts = 20'000;

}  // namespace

RailTrace::RailTrace(Rail rail, std::int64_t gap_ns) : rail_(std::move(rail)), gap_ns_(gap_ns) {
  points_.reserve(4096);
}

void RailTrace::add(const RailReading& reading) {
  ++readings_;
  if (!std::isfinite(reading.value)) {
    ++failed_;
    ++silent_;
    note_failing(reading, true);
    return;
  }
  silent_ = 0;
  note_failing(reading, false);
  bool reset = false;
  const double value = rail_.kind == RailKind::kEnergy ? unwrapped(reading, reset) : reading.value;
  if (points_.empty()) {
    points_.push_back({reading.time_ns, reading.time_ns, value, false});
    return;
  }
  TracePoint& last = points_.back();
  const bool gap = reset || reading.time_ns - last.until_ns > gap_ns_;
  if (!gap && value == last.value && !rail_.stamped) {
    last.until_ns = reading.time_ns;
    return;
  }
  // What a counter gained during a gap in the readings is known.
  const bool unknown = reset || (gap && rail_.kind == RailKind::kPower);
  points_.push_back({reading.time_ns, reading.time_ns, value, unknown});
  if (points_.size() >= kMostPoints) thin();
}

void RailTrace::note_failing(const RailReading& reading, bool fails) {
  const bool failed = failing_.size() % 2 == 1;
  if (rail_.stamped || fails == failed) return;
  const Failing last = failing_.empty() ? Failing{} : failing_.back();
  const std::int64_t more = failed ? std::max<std::int64_t>(reading.time_ns - last.time_ns, 0) : 0;
  failing_.push_back({reading.time_ns, last.total_ns + more});
  if (failing_.size() < kMostPoints || fails) return;
  // Every second pair: its time is then spread over that of two.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < failing_.size(); i += 4) {
    failing_[kept++] = failing_[i];
    failing_[kept++] = failing_[std::min(i + 3, failing_.size() - 1)];
  }
  failing_.resize(kept);
}

double RailTrace::failing_ns_until(std::int64_t time_ns) const {
  const auto next =
      std::lower_bound(failing_.begin(), failing_.end(), time_ns,
                       [](const Failing& corner, std::int64_t t) { return corner.time_ns < t; });
  if (next == failing_.begin()) return 0;
  const Failing& last = *(next - 1);
  const auto since = static_cast<double>(time_ns - last.time_ns);
  const auto total = static_cast<double>(last.total_ns);
  if (next == failing_.end()) return failing_.size() % 2 == 1 ? total + since : total;
  const auto length = static_cast<double>(next->time_ns - last.time_ns);
  return total + since / length * static_cast<double>(next->total_ns - last.total_ns);
}

double RailTrace::unwrapped(const RailReading& reading, bool& reset) {
  const double previous = std::exchange(raw_, reading.value);
  if (!std::isnan(previous) && reading.value < previous) {
    const double range = rail_.wraps_at.value_or(0);
    const double gained = range - previous + reading.value;
    const double seconds = static_cast<double>(reading.time_ns - points_.back().until_ns) * 1e-9;
    if (gained >= 0 && gained <= kMostWatts * seconds) {
      ++wraps_;
      offset_ += range;
    } else {
      ++resets_;
      reset = true;
      offset_ += previous - reading.value;
    }
  }
  return reading.value + offset_;
}

void RailTrace::thin() {
  std::vector<TracePoint> fewer;
  fewer.reserve(points_.capacity());
  for (std::size_t i = 0; i < points_.size(); ++i) {
    const TracePoint& point = points_[i];
    const bool pair = i + 1 < points_.size() && !point.after_gap && !points_[i + 1].after_gap;
    if (!pair) {
      fewer.push_back(point);
    } else if (rail_.kind == RailKind::kEnergy) {
      fewer.push_back(points_[++i]);
    } else {
      const TracePoint& next = points_[++i];
      fewer.push_back({(point.time_ns + next.time_ns) / 2, (point.until_ns + next.until_ns) / 2,
                       (point.value + next.value) / 2, false});
    }
  }
  points_ = std::move(fewer);
}

}  // namespace hedge
