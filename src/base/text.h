// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
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

}  // namespace hedge
