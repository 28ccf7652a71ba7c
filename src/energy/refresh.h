// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>

#include "energy/rail_trace.h"

namespace hedge {

/// How long a sensor keeps a value before it takes the next.
struct Refresh {
  double ns = 0;
  /// False where the sensor is about as quick as the readings, so that `ns` is the mean time
  /// between readings that differ and the sensor's own may be shorter.
  bool resolved = true;
};

/// From when the values of a trace changed. A change lies somewhere between the reading that saw
/// the value before and the one that saw the new one, so the middle is taken; times between changes
/// are whole multiples of the refresh, since values may happen to repeat. The multiple of each is
/// rounded by an estimate, the next estimate is their sum over that of the multiples, and so on
/// until it stands still. Of samples with time stamps of their own it is the median of the time
/// between two. Nothing below two changes.
[[nodiscard]] std::optional<Refresh> refresh_of(const RailTrace& trace);
/// Likewise, of some points of it.
[[nodiscard]] std::optional<Refresh> refresh_of(std::span<const TracePoint> points, bool stamped);

}  // namespace hedge
