// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"

namespace hedge {

// Reading /proc, /sys and /etc. Their files say that they are empty, so they are neither mapped nor
// sized first, and some answer with an error of their own: a sensor that is powered down EAGAIN.

/// Where /proc, /sys, /etc and /var are looked for: $HEDGE_SYSFS_ROOT, else "/". The variable is
/// there for tests and for trees brought from another machine.
[[nodiscard]] std::filesystem::path system_root();

struct SystemText {
  std::string text;  ///< Empty on an error.
  int error = 0;     ///< errno of the failure, 0 for none.
};
/// The whole file, at most 4 MiB of it. Never waits, never throws.
[[nodiscard]] SystemText try_read_system_file(const std::filesystem::path& path);

/// Empty when it cannot be read.
[[nodiscard]] std::string read_system_file(const std::filesystem::path& path);

/// Its first line without blanks around it.
[[nodiscard]] std::string read_system_line(const std::filesystem::path& path);

/// The whole number that its first line is.
[[nodiscard]] std::optional<std::int64_t> read_system_integer(const std::filesystem::path& path);

/// Entries of a folder whose names begin with `prefix`, ordered by the number that follows it, then
/// by name: "cpu2" before "cpu10". Empty where there is no such folder.
[[nodiscard]] std::vector<std::filesystem::path> list_system_entries(
    const std::filesystem::path& folder, std::string_view prefix = "");

/// Calls `visit(key, value)` for each "key<separator>value" line.
template <class Visit>
void for_each_pair(std::string_view text, char separator, Visit&& visit) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t middle = line.find(separator);
    if (middle == std::string_view::npos) continue;
    visit(trim(line.substr(0, middle)), trim(line.substr(middle + 1)));
  }
}

/// First value of `key` that is not empty; empty when there is none.
[[nodiscard]] std::string value_of(std::string_view text, char separator, std::string_view key);

}  // namespace hedge
