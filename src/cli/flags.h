// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hedge::cli {

/// A whole number given to a flag. Throws bad_input naming flag, text and range: no number, out of
/// range.
[[nodiscard]] std::int64_t parse_count(const std::string& flag, const std::string& text,
                                       std::int64_t low, std::int64_t high);

/// "1,2,4,8".
[[nodiscard]] std::vector<std::int64_t> parse_counts(const std::string& flag,
                                                     const std::string& text, std::int64_t low,
                                                     std::int64_t high);

/// `--iterations`: 0 and "all" mean `all` of them.
[[nodiscard]] std::int64_t parse_iterations(const std::string& text, std::int64_t all);

/// Splits a line as a shell would, as far as blanks and quotes go.
[[nodiscard]] std::vector<std::string> split_command_line(const std::string& line);

}  // namespace hedge::cli
