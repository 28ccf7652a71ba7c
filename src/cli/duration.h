// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace hedge::cli {

/// "30s", "500ms", "2min" or "1h", with or without a point, in nanoseconds. Throws bad_input naming
/// the flag: no unit, below `low_ns`, above `high_ns`.
[[nodiscard]] std::int64_t parse_duration(const std::string& flag, const std::string& text,
                                          std::int64_t low_ns, std::int64_t high_ns);

}  // namespace hedge::cli
