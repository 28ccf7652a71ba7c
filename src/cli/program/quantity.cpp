// SPDX-License-Identifier: Apache-2.0
#include "cli/program/quantity.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <span>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "hedge/error.h"

namespace hedge::cli {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};
constexpr std::array kSeconds{Unit{"us", 1e-6}, Unit{"ms", 1e-3}, Unit{"s", 1}, Unit{"min", 60},
                              Unit{"h", 3600}};
constexpr std::array kJoules{Unit{"uJ", 1e-6}, Unit{"mJ", 1e-3}, Unit{"J", 1}};
constexpr std::array kWatts{Unit{"uW", 1e-6}, Unit{"mW", 1e-3}, Unit{"W", 1}};
constexpr std::array kRates{Unit{"bit/s", 1}, Unit{"kbit/s", 1e3}, Unit{"Mbit/s", 1e6},
                            Unit{"Gbit/s", 1e9}};
constexpr std::array kBytes{Unit{"bytes", 1},  Unit{"B", 1},    Unit{"kB", 1e3},
                            Unit{"KiB", 1024}, Unit{"MB", 1e6}, Unit{"MiB", 1024 * 1024}};

double parse(const std::string& flag, const std::string& text, std::span<const Unit> units,
             const char* example) {
  double value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  std::string_view name(end, static_cast<std::size_t>(last - end));
  if (name.starts_with(' ')) name.remove_prefix(1);
  double factor = value == 0 && name.empty() ? 1 : 0;
  std::vector<std::string> names;
  for (const Unit& unit : units) {
    if (unit.name == name) factor = unit.factor;
    names.emplace_back(unit.name);
  }
  const double scaled = value * factor;
  // from_chars reads "nan" and "inf"; -0 is no quantity, either.
  if (error != std::errc{} || factor == 0 || !std::isfinite(scaled) || std::signbit(value)) {
    throw bad_input(fmt::format("{}={}: give a number with its unit, one of {}, as {}", flag,
                                printable(text, 40), join_words(names), example));
  }
  return scaled;
}

/// A limit that the program sets, in the largest unit that divides it: "1ms", "720h".
std::string bound_text(std::int64_t ns) {
  struct Whole {
    const char* name;
    std::int64_t ns;
  };
  constexpr std::array kUnits{Whole{"h", 3'600'000'000'000}, Whole{"min", 60'000'000'000},
                              Whole{"s", 1'000'000'000}, Whole{"ms", 1'000'000},
                              Whole{"us", 1'000}};
  if (ns == 0) return "0s";
  for (const Whole& unit : kUnits) {
    if (ns % unit.ns == 0) return fmt::format("{}{}", ns / unit.ns, unit.name);
  }
  return fmt::format("{:g}s", static_cast<double>(ns) * 1e-9);
}

/// Three significant digits in the largest unit of which there is at least one.
std::string scaled_text(double value, std::span<const Unit> units) {
  const Unit* best = units.data();
  for (const Unit& unit : units) {
    if (std::abs(value) >= 0.9995 * unit.factor) best = &unit;
  }
  const double scaled = value / best->factor;
  const int decimals = scaled >= 99.95 || scaled == 0 ? 0 : scaled >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", scaled, decimals, best->name);
}

}  // namespace

double parse_seconds(const std::string& flag, const std::string& text) {
  return parse(flag, text, kSeconds, "2.5ms");
}
std::int64_t parse_duration(const std::string& flag, const std::string& text, std::int64_t low_ns,
                            std::int64_t high_ns) {
  const double ns = parse(flag, text, kSeconds, "30s") * 1e9;
  if (ns >= static_cast<double>(low_ns) && ns <= static_cast<double>(high_ns)) {
    return std::llround(ns);
  }
  throw bad_input(fmt::format("{}={}: give {} to {}", flag, printable(text, 40), bound_text(low_ns),
                              bound_text(high_ns)));
}
double parse_joules(const std::string& flag, const std::string& text) {
  return parse(flag, text, kJoules, "5mJ");
}
double parse_watts(const std::string& flag, const std::string& text) {
  return parse(flag, text, kWatts, "800mW");
}
double parse_bits_per_second(const std::string& flag, const std::string& text) {
  const double rate = parse(flag, text, kRates, "20Mbit/s");
  if (rate > 0) return rate;
  throw bad_input(fmt::format("{}={}: over such a network nothing arrives; give more than 0", flag,
                              printable(text, 40)));
}
double parse_bytes(const std::string& flag, const std::string& text) {
  return parse(flag, text, kBytes, "3072bytes");
}

double parse_share(const std::string& flag, const std::string& text) {
  if (const auto share = hedge::parse_share(text)) return *share;
  throw bad_input(
      fmt::format("{}={}: give a share of 1, as 0.2 or 20%", flag, printable(text, 40)));
}

std::string seconds_text(double seconds) {
  return scaled_text(seconds, std::span(kSeconds).first<3>());  // Long ones in s.
}
std::string joules_text(double joules) {
  return scaled_text(joules, kJoules);
}
std::string watts_text(double watts) {
  return scaled_text(watts, kWatts);
}
std::string rate_text(double bits_per_second) {
  return scaled_text(bits_per_second, kRates);
}

}  // namespace hedge::cli
