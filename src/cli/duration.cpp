// SPDX-License-Identifier: Apache-2.0
#include "cli/duration.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "hedge/error.h"

namespace hedge::cli {
namespace {

struct Unit {
  std::string_view name;
  double seconds;
};
constexpr std::array kUnits{Unit{"us", 1e-6}, Unit{"ms", 1e-3}, Unit{"s", 1}, Unit{"min", 60},
                            Unit{"h", 3600}};

}  // namespace

std::int64_t parse_duration(const std::string& flag, const std::string& text, std::int64_t low_ns,
                            std::int64_t high_ns) {
  double value = 0;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  const std::string_view name(end, static_cast<std::size_t>(last - end));
  double scale = value == 0 && name.empty() ? 1 : 0;  // 0 needs no unit
  for (const Unit& unit : kUnits) {
    if (unit.name == name) scale = unit.seconds;
  }
  if (error != std::errc{} || scale == 0) {
    throw bad_input(fmt::format("{}={}: no duration; write 30s, 500ms or 2min", flag, text));
  }
  const double ns = value * scale * 1e9;
  if (!(ns >= static_cast<double>(low_ns) && ns <= static_cast<double>(high_ns))) {
    throw bad_input(fmt::format("{}={}: give {:g}s to {:g}s", flag, text,
                                static_cast<double>(low_ns) * 1e-9,
                                static_cast<double>(high_ns) * 1e-9));
  }
  return std::llround(ns);
}

}  // namespace hedge::cli
