// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "hedge/error.h"

// Values that users name by a word. A table is a range of pairs: value, name.

namespace hedge {

/// For a message: " (did you mean top1?)", or empty where no name is near.
std::string did_you_mean(std::string_view word, std::span<const std::string> names);

/// bad_input: "no decision 'top' (did you mean top1?); there are top1, margin and entropy".
Error no_such_name(std::string_view what, std::string_view word,
                   std::span<const std::string> names);

/// "?" for a value that the table lacks.
template <class Table, class Value>
constexpr std::string_view name_in(const Table& table, const Value& value) noexcept {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  return "?";
}

template <class Table>
constexpr auto find_named(const Table& table, std::string_view word) noexcept
    -> std::optional<std::remove_cvref_t<decltype(table.begin()->first)>> {
  for (const auto& [value, name] : table) {
    if (name == word) return value;
  }
  return std::nullopt;
}

/// Throws no_such_name.
template <class Table>
auto value_named(const Table& table, std::string_view word, std::string_view what) {
  if (const auto value = find_named(table, word)) return *value;
  std::vector<std::string> names;
  for (const auto& [value, name] : table) names.emplace_back(name);
  throw no_such_name(what, word, names);
}

}  // namespace hedge
