// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace hedge::cli {

inline constexpr std::int64_t kSecond_ns = 1'000'000'000;
inline constexpr std::int64_t kMonth_ns = 30 * 24 * 3600 * kSecond_ns;

// Numbers with a unit, as flags take them: "2ms", "1.5min", "5 mJ", "46.2Mbit/s", "3kB". 0 needs no
// unit. Each throws bad_input naming flag, text and units: no number, no unit or another one, below
// 0, not finite; the rate also at 0.

[[nodiscard]] double parse_seconds(const std::string& flag, const std::string& text);
/// In nanoseconds. Throws bad_input also below `low_ns` and above `high_ns`.
[[nodiscard]] std::int64_t parse_duration(const std::string& flag, const std::string& text,
                                          std::int64_t low_ns, std::int64_t high_ns);
[[nodiscard]] double parse_joules(const std::string& flag, const std::string& text);
[[nodiscard]] double parse_watts(const std::string& flag, const std::string& text);
[[nodiscard]] double parse_bits_per_second(const std::string& flag, const std::string& text);
/// kB is 1000 bytes, KiB 1024.
[[nodiscard]] double parse_bytes(const std::string& flag, const std::string& text);
/// A share of 1: "0.2" or "20%".
[[nodiscard]] double parse_share(const std::string& flag, const std::string& text);

// For people: "3.20 ms", "11.0 mJ", "46.2 Mbit/s".
[[nodiscard]] std::string seconds_text(double seconds);
[[nodiscard]] std::string joules_text(double joules);
[[nodiscard]] std::string watts_text(double watts);
[[nodiscard]] std::string rate_text(double bits_per_second);

}  // namespace hedge::cli
