// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hedge {

struct TimeStamp {
  std::int64_t unix_ns = 0;  ///< As if in UTC where there is no zone.
  bool has_zone = false;
};

/// ISO 8601 with date and time of day: "2026-01-31T23:59:59.5Z", a blank for the T, a comma for the
/// point, "+01:00", "+0100", "+01", " UTC"; the zone may be missing. Years 1970 to 2200. Nothing
/// for anything else.
[[nodiscard]] std::optional<TimeStamp> parse_time_stamp(std::string_view text);

}  // namespace hedge
