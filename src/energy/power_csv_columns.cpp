// SPDX-License-Identifier: Apache-2.0
#include "energy/power_csv_columns.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/text.h"

namespace hedge {
namespace {

struct Word {
  std::string_view text;
  Quantity quantity;
  double scale;  ///< To seconds, watts, volts or amperes; 0 for a name that states no unit.
};

/// Names, in lower case.
constexpr std::array kNames{
    Word{"time", Quantity::kTime, 0},
    Word{"timestamp", Quantity::kTime, 0},
    Word{"t", Quantity::kTime, 0},
    Word{"date", Quantity::kTime, 0},
    Word{"datetime", Quantity::kTime, 0},
    Word{"elapsed", Quantity::kTime, 0},
    Word{"unix", Quantity::kTime, 1},
    Word{"epoch", Quantity::kTime, 1},
    Word{"seconds", Quantity::kTime, 1},
    Word{"milliseconds", Quantity::kTime, 1e-3},
    Word{"power", Quantity::kPower, 0},
    Word{"p", Quantity::kPower, 0},
    Word{"watt", Quantity::kPower, 1},
    Word{"watts", Quantity::kPower, 1},
    Word{"milliwatts", Quantity::kPower, 1e-3},
    Word{"voltage", Quantity::kVoltage, 0},
    Word{"u", Quantity::kVoltage, 0},
    Word{"volt", Quantity::kVoltage, 1},
    Word{"volts", Quantity::kVoltage, 1},
    Word{"millivolts", Quantity::kVoltage, 1e-3},
    Word{"current", Quantity::kCurrent, 0},
    Word{"i", Quantity::kCurrent, 0},
    Word{"amp", Quantity::kCurrent, 1},
    Word{"amps", Quantity::kCurrent, 1},
    Word{"ampere", Quantity::kCurrent, 1},
    Word{"amperes", Quantity::kCurrent, 1},
    Word{"milliamps", Quantity::kCurrent, 1e-3},
    Word{"milliamperes", Quantity::kCurrent, 1e-3},
};
/// Units as they are written: MW is not mW. What is all lower case is taken as well.
constexpr std::array kUnits{
    Word{"s", Quantity::kTime, 1},        Word{"sec", Quantity::kTime, 1},
    Word{"ms", Quantity::kTime, 1e-3},    Word{"us", Quantity::kTime, 1e-6},
    Word{"ns", Quantity::kTime, 1e-9},    Word{"W", Quantity::kPower, 1},
    Word{"w", Quantity::kPower, 1},       Word{"mW", Quantity::kPower, 1e-3},
    Word{"mw", Quantity::kPower, 1e-3},   Word{"uW", Quantity::kPower, 1e-6},
    Word{"uw", Quantity::kPower, 1e-6},   Word{"kW", Quantity::kPower, 1e3},
    Word{"kw", Quantity::kPower, 1e3},    Word{"V", Quantity::kVoltage, 1},
    Word{"v", Quantity::kVoltage, 1},     Word{"mV", Quantity::kVoltage, 1e-3},
    Word{"mv", Quantity::kVoltage, 1e-3}, Word{"uV", Quantity::kVoltage, 1e-6},
    Word{"uv", Quantity::kVoltage, 1e-6}, Word{"A", Quantity::kCurrent, 1},
    Word{"a", Quantity::kCurrent, 1},     Word{"mA", Quantity::kCurrent, 1e-3},
    Word{"ma", Quantity::kCurrent, 1e-3}, Word{"uA", Quantity::kCurrent, 1e-6},
    Word{"ua", Quantity::kCurrent, 1e-6},
};

/// Words of a column's name: "Power (mW)" is Power and mW. The micro sign, in both its code points,
/// is a u.
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < name.size(); ++i) {
    const std::string_view two = name.substr(i, 2);
    const char c = name[i];
    if (two == "\xC2\xB5" || two == "\xCE\xBC") {
      words.back() += 'u';
      ++i;
    } else if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

template <std::size_t N>
const Word* find_word(const std::array<Word, N>& words, std::string_view text) {
  const auto found =
      std::find_if(words.begin(), words.end(), [&](const Word& word) { return word.text == text; });
  return found != words.end() ? &*found : nullptr;
}

}  // namespace

Column column_of(std::string_view name, std::size_t index) {
  Column column;
  column.index = index;
  column.name = printable(trim(name), 60);
  const std::vector<std::string> words = words_of(name);
  for (const std::string& word : words) {
    const std::string lower = to_lower(word);
    column.unix_time = column.unix_time || lower == "unix" || lower == "epoch";
    column.utc = column.utc || lower == "utc";
    const Word* known = find_word(kNames, lower);
    if (known == nullptr || column.quantity != Quantity::kOther) continue;
    column.quantity = known->quantity;
  }
  // A unit after the name, or alone.
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Word* unit = find_word(kUnits, words[i]);
    if (unit == nullptr) unit = find_word(kNames, to_lower(words[i]));
    if (unit == nullptr || unit->scale == 0) continue;
    if (column.quantity == Quantity::kOther && words.size() == 1) column.quantity = unit->quantity;
    if (unit->quantity == column.quantity) column.scale = unit->scale;
  }
  return column;
}

const char* example(Quantity quantity) {
  switch (quantity) {
    case Quantity::kTime:
      return "time_s, or time_unix_s for seconds since 1970";
    case Quantity::kPower:
      return "power_W or power_mW";
    case Quantity::kVoltage:
      return "voltage_V or voltage_mV";
    default:
      return "current_A or current_mA";
  }
}

char separator_of(std::string_view header) {
  for (const char separator : {';', '\t'}) {
    if (header.find(separator) != std::string_view::npos) return separator;
  }
  return ',';
}

std::vector<std::string> cells_of(std::string_view line, char separator) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == separator && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

double last_digit(std::string_view number) {
  const std::size_t end = std::min(number.find_first_of("eE"), number.size());
  const std::size_t point = number.substr(0, end).find_first_of(".,");
  const auto decimals = point < end ? static_cast<double>(end - point - 1) : 0;
  std::string_view power = end < number.size() ? trim(number.substr(end + 1)) : "0";
  if (power.starts_with('+')) power.remove_prefix(1);
  const auto exponent = parse_integer<int>(power);
  return std::pow(10, exponent.value_or(0) - decimals);
}

}  // namespace hedge
