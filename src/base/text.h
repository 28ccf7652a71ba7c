// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace hedge {

/// Restricted edit distance (Levenshtein), for "did you mean".
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word`, or empty when none is near (more than a third of the letters
/// differ).
std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// "a, b and c".
std::string join_words(std::span<const std::string> words);

/// Splits at `separator`; keeps empty fields.
std::vector<std::string> split(std::string_view text, char separator);

/// ASCII only.
std::string to_lower(std::string_view text);

/// Without blanks, line ends and zero bytes (the strings of a device tree end in one) around it.
std::string_view trim(std::string_view text);

/// Text out of a foreign file, fit for a one-line message: control characters and bytes that are
/// no UTF-8 become '?' (JSON takes nothing else), and what is longer than `most` bytes is cut.
std::string printable(std::string_view text, std::size_t most = 200);

/// The whole number that all of `text` is. Nothing for anything else (blanks and '+' among it) and
/// for a number that Integer cannot hold.
template <class Integer>
std::optional<Integer> parse_integer(std::string_view text, int base = 10) {
  Integer value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

/// A share of 1: "0.2" or "20%". Nothing for anything else, and outside 0 to 1.
std::optional<double> parse_share(std::string_view text);

}  // namespace hedge
