// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "energy/integrate.h"
#include "energy/power_csv.h"

namespace hedge {

/// The marker that a load draws into its own power: chips of work (true) and rest. Barker's code of
/// length 13, whose correlation with itself, shifted, is at most 1/13 of that in place (R. H.
/// Barker, Group Synchronizing of Binary Digital Systems, 1953).
inline constexpr std::array<bool, 13> kMarkerChips{true, true, true,  true, true,  false, false,
                                                   true, true, false, true, false, true};

/// What the load did over a span of time.
struct LoadSegment {
  Window window;
  bool busy = false;
};

struct MarkerMatch {
  std::int64_t offset_ns = 0;  ///< From the recording's clock to that of the segments.
  double correlation = 0;      ///< Of power and load, 1 for a perfect one.
};

/// Where in a recording the segments of the markers lie, by the correlation of its power with what
/// the load did. `name` is the file's. Throws bad_input: the recording is shorter than the marker
/// and what lies between two of them; samples are too far apart for its chips; no place correlates
/// well (below 0.6), or two places further apart than a chip do almost alike.
[[nodiscard]] MarkerMatch find_marker(const PowerRecording& recording,
                                      std::span<const LoadSegment> segments,
                                      const std::string& name);

}  // namespace hedge
