// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "energy/rail_trace.h"

namespace hedge {

struct PowerSample {
  std::int64_t time_ns = 0;
  double watts = 0;
};

/// What an external meter logged.
struct PowerRecording {
  /// Times are since 1970 in UTC. Else they count from anywhere, and only a marker in the load
  /// tells when that was.
  bool absolute = false;
  std::vector<PowerSample> samples;  ///< Times strictly ascending, at least two.
  std::int64_t rows_without_value = 0;
  double resolution = 0;  ///< By the digits that are written, watts.
};

/// Reads an external meter's CSV: a header, then a row a sample. Commas, semicolons or tabs; with
/// the latter two also decimal commas; lines that begin with '#' and columns of other names are
/// passed over. The header states units: a time (time_s, time_ms, "elapsed [s]"; time_unix_s, or
/// ISO 8601 with its zone), and either power (power_W, "P (mW)", watts) or voltage and current
/// (voltage_V, current_mA). An empty cell is no reading, and a gap if others do not follow soon.
/// Throws bad_input with `source`, the line and what to write: no header, no or other units, local
/// time without a zone, rows out of order, numbers that are none.
[[nodiscard]] PowerRecording parse_power_csv(std::string_view text, const std::string& source);

/// Looks at a log that is still being written, which may have no header yet; what stands behind its
/// last line end is left alone. Tells whether its times are absolute; nothing before its first row.
/// Throws as parse_power_csv, but not for rows that are missing.
[[nodiscard]] std::optional<bool> check_power_csv(std::string_view text, const std::string& source);

/// On another clock: `offset_ns` is added to each time. Each row is a sample, also one that repeats
/// the value before; rows without a value are failed readings. Samples further apart than five
/// usual ones have a gap between them. The resolution is the smallest difference of two rows of a
/// log that changes often, or that of the digits written where that is more.
[[nodiscard]] RailTrace trace_of(const PowerRecording& recording, std::int64_t offset_ns);

}  // namespace hedge
