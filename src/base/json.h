// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hedge/error.h"

namespace hedge {

/// What nlohmann says without the number of its exception in front, "[json.exception...] ".
[[nodiscard]] inline std::string json_reason(const nlohmann::json::exception& error) {
  const std::string_view what = error.what();
  const std::size_t end = what.find("] ");
  return std::string(what.starts_with('[') && end != what.npos ? what.substr(end + 2) : what);
}

/// A whole number of foreign JSON. nlohmann's own conversion casts whatever number stands there,
/// which for 1e62 is undefined. Throws bad_input: no whole number, or outside T.
template <class T>
[[nodiscard]] T json_integer(const nlohmann::json& json) {
  const bool fits = json.is_number_unsigned()  ? std::in_range<T>(json.get<std::uint64_t>())
                    : json.is_number_integer() ? std::in_range<T>(json.get<std::int64_t>())
                                               : false;
  if (!fits) {
    throw bad_input(
        fmt::format("{} is not a whole number in range",
                    json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  }
  return json.get<T>();
}

template <class T>
[[nodiscard]] std::vector<T> json_integers(const nlohmann::json& json) {
  if (!json.is_array()) throw bad_input("a list of whole numbers is missing");
  std::vector<T> values;
  values.reserve(json.size());
  for (const nlohmann::json& value : json) values.push_back(json_integer<T>(value));
  return values;
}

}  // namespace hedge
