// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hedge {

// What the header of an external meter's log says, and the cells of its rows (power_csv.h).

enum class Quantity : std::uint8_t { kOther, kTime, kPower, kVoltage, kCurrent };

struct Column {
  std::size_t index = 0;
  std::string name;
  Quantity quantity = Quantity::kOther;
  double scale = 0;  ///< 0 where no unit is stated.
  bool unix_time = false;
  bool utc = false;
  /// One of the last digit that was written, watts, volts or amperes; 0 before the first number.
  double step = 0;
};

/// Quantity and unit by the words of its name: "Power (mW)", power_W, watts.
[[nodiscard]] Column column_of(std::string_view name, std::size_t index);

/// Names that state a unit, for messages.
[[nodiscard]] const char* example(Quantity quantity);

/// Semicolon or tab where the header has one, else a comma.
[[nodiscard]] char separator_of(std::string_view header);

/// Cells of a row; quotes around a cell go.
[[nodiscard]] std::vector<std::string> cells_of(std::string_view line, char separator);

/// One of the last digit of a number: 0.01 of 5.00, 1e-6 of 5.00e-4.
[[nodiscard]] double last_digit(std::string_view number);

}  // namespace hedge
