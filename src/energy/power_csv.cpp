// SPDX-License-Identifier: Apache-2.0
#include "energy/power_csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/text.h"
#include "energy/power_csv_columns.h"
#include "energy/time_stamp.h"
#include "hedge/error.h"

namespace hedge {
namespace {

struct Layout {
  char separator = ',';
  std::optional<Column> time;
  std::optional<Column> power;
  std::optional<Column> voltage;
  std::optional<Column> current;
};

class Reader {
 public:
  Reader(std::string_view text, const std::string& source) : rest_(text), source_(source) {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
  }

  PowerRecording read() {
    std::string_view line;
    if (!next_line(line)) throw bad_input(fmt::format("{}: is empty; a header is needed", source_));
    layout_ = layout_of(line);
    while (next_line(line)) add_row(cells_of(line, layout_.separator));
    if (recording_.samples.size() < 2) {
      throw bad_input(fmt::format("{}: has {} rows with a reading; at least 2 are needed", source_,
                                  recording_.samples.size()));
    }
    recording_.resolution = resolution();
    return std::move(recording_);
  }

  std::optional<bool> check() {
    std::string_view line;
    rest_ = rest_.substr(0, rest_.rfind('\n') + 1);  // nothing where there is none
    if (!next_line(line)) return std::nullopt;
    layout_ = layout_of(line);
    while (next_line(line)) add_row(cells_of(line, layout_.separator));
    return last_time_ ? std::optional(recording_.absolute) : std::nullopt;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw bad_input(fmt::format("{}: line {}: {}", source_, line_, what));
  }

  /// The next one that is neither empty nor a comment.
  bool next_line(std::string_view& line) {
    while (!rest_.empty()) {
      const std::size_t end = std::min(rest_.find('\n'), rest_.size());
      line = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      ++line_;
      const std::string_view content = trim(line);
      if (!content.empty() && content.front() != '#') return true;
    }
    return false;
  }

  Layout layout_of(std::string_view header) const {
    Layout layout;
    layout.separator = separator_of(header);
    const std::vector<std::string> names = cells_of(header, layout.separator);
    for (std::size_t i = 0; i < names.size(); ++i) {
      Column column = column_of(names[i], i);
      std::optional<Column>* place = column.quantity == Quantity::kTime      ? &layout.time
                                     : column.quantity == Quantity::kPower   ? &layout.power
                                     : column.quantity == Quantity::kVoltage ? &layout.voltage
                                     : column.quantity == Quantity::kCurrent ? &layout.current
                                                                             : nullptr;
      if (place == nullptr) continue;
      if (*place) {
        fail(fmt::format("the columns '{}' and '{}' tell the same; keep one", (*place)->name,
                         column.name));
      }
      *place = std::move(column);
    }
    require_columns(layout);
    return layout;
  }

  void require_columns(Layout& layout) const {
    if (!layout.time) {
      fail("the header names no time; write time_s, time_unix_s, or timestamp for ISO 8601");
    }
    if (layout.power) {  // measured together, which their product is not
      layout.voltage.reset();
      layout.current.reset();
    } else if (!layout.voltage || !layout.current) {
      fail("the header names no power; write power_W, or voltage_V and current_A");
    }
    for (const auto* column : {&layout.power, &layout.voltage, &layout.current}) {
      if (*column && (*column)->scale == 0) {
        fail(fmt::format("column '{}' states no unit that is known; write {}", (*column)->name,
                         example((*column)->quantity)));
      }
    }
  }

  void add_row(const std::vector<std::string>& cells) {
    const std::int64_t time = time_of(cell(cells, *layout_.time));
    const double watts = watts_of(cells);
    if (last_time_ && time <= *last_time_) {
      fail(time == *last_time_
               ? "the time stamp of the row before again; the meter must write finer ones"
               : "the time stamp lies before that of the row before; sort the rows, or the clock "
                 "was set back");
    }
    last_time_ = time;
    if (std::isnan(watts)) {
      ++recording_.rows_without_value;
    } else {
      recording_.samples.push_back({time, watts});
    }
  }

  /// Of the digits that are written. A product changes by either factor.
  [[nodiscard]] double resolution() const {
    if (layout_.power) return layout_.power->step;
    return std::hypot(last_volts_ * layout_.current->step, last_amperes_ * layout_.voltage->step);
  }

  double watts_of(const std::vector<std::string>& cells) {
    if (layout_.power) return value(cells, *layout_.power);
    const double volts = value(cells, *layout_.voltage);
    const double amperes = value(cells, *layout_.current);
    if (!std::isnan(volts * amperes)) {
      last_volts_ = volts;
      last_amperes_ = amperes;
    }
    return volts * amperes;
  }

  [[nodiscard]] std::string_view cell(const std::vector<std::string>& cells,
                                      const Column& column) const {
    if (column.index >= cells.size()) {
      fail(fmt::format("has no column {} '{}'", column.index + 1, column.name));
    }
    return trim(cells[column.index]);
  }

  [[nodiscard]] std::optional<double> number(std::string_view text) const {
    std::string plain(text.starts_with('+') ? text.substr(1) : text);
    if (layout_.separator != ',') std::replace(plain.begin(), plain.end(), ',', '.');
    double result = 0;
    const char* end = plain.data() + plain.size();
    const auto [stop, error] = std::from_chars(plain.data(), end, result);
    if (error != std::errc{} || stop != end || !std::isfinite(result)) return std::nullopt;
    return result;
  }

  /// Nothing measured is kNoReading.
  double value(const std::vector<std::string>& cells, Column& column) const {
    constexpr double kMost = 1e6;  // watts, volts or amperes
    const std::string_view text = cell(cells, column);
    const std::string lower = to_lower(text);
    if (text.empty() || lower == "nan" || lower == "-" || lower == "n/a") return kNoReading;
    const auto found = number(text);
    if (!found)
      fail(fmt::format("'{}' in column '{}' is no number", printable(text, 40), column.name));
    const double scaled = *found * column.scale;
    if (!(std::fabs(scaled) <= kMost)) {
      fail(fmt::format("{} in column '{}' cannot be; is the unit right?", printable(text, 40),
                       column.name));
    }
    const double step = last_digit(text) * column.scale;
    column.step = column.step > 0 ? std::min(column.step, step) : step;
    return scaled;
  }

  std::int64_t time_of(std::string_view text) {
    const Column& column = *layout_.time;
    if (const auto stamp = parse_time_stamp(text)) {
      if (!stamp->has_zone && !column.utc) {
        fail(
            fmt::format("the time stamp '{}' is local time of nobody knows where; write its zone "
                        "(Z or +01:00), or name the column timestamp_utc",
                        printable(text, 40)));
      }
      require_same_kind(true);
      return stamp->unix_ns;
    }
    const auto found = number(text);
    if (!found) {
      fail(
          fmt::format("'{}' in column '{}' is no time; write seconds, or ISO 8601 as "
                      "2026-01-31T23:59:59.5Z",
                      printable(text, 40), column.name));
    }
    if (column.scale == 0) {
      fail(fmt::format("column '{}' states no unit; write {}", column.name,
                       example(Quantity::kTime)));
    }
    return number_time(*found * column.scale, column);
  }

  std::int64_t number_time(double seconds, const Column& column) {
    constexpr double kMost = 7.2e9;  // the year 2198
    constexpr double kUnixOf2001 = 1e9;
    if (!(std::fabs(seconds) <= kMost)) {
      fail(fmt::format("the time of column '{}' cannot be; is its unit right?", column.name));
    }
    if (!column.unix_time && seconds > kUnixOf2001) {
      fail(fmt::format("column '{}' seems to count since 1970; name it time_unix_s", column.name));
    }
    require_same_kind(column.unix_time);
    return static_cast<std::int64_t>(seconds * 1e9);
  }

  void require_same_kind(bool absolute) {
    if (last_time_ && absolute != recording_.absolute) {
      fail("time stamps of the day and numbers are mixed in one column");
    }
    recording_.absolute = absolute;
  }

  std::string_view rest_;
  const std::string& source_;
  std::int64_t line_ = 0;
  Layout layout_;
  std::optional<std::int64_t> last_time_;
  double last_volts_ = 0;
  double last_amperes_ = 0;
  PowerRecording recording_;
};

}  // namespace

PowerRecording parse_power_csv(std::string_view text, const std::string& source) {
  return Reader(text, source).read();
}

std::optional<bool> check_power_csv(std::string_view text, const std::string& source) {
  return Reader(text, source).check();
}

namespace {

/// The smallest difference of two values that follow each other. A meter without noise shows a few
/// powers of the load, whose differences are no steps: there it is 0.
double smallest_step(const std::vector<PowerSample>& samples) {
  constexpr std::size_t kFewestChanges = 10;
  constexpr std::size_t kRowsOfAChange = 20;
  double step = std::numeric_limits<double>::infinity();
  std::size_t changes = 0;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    const double difference = std::fabs(samples[i].watts - samples[i - 1].watts);
    if (!(difference > 0)) continue;
    step = std::min(step, difference);
    ++changes;
  }
  return changes >= std::max(kFewestChanges, samples.size() / kRowsOfAChange) ? step : 0;
}

}  // namespace

RailTrace trace_of(const PowerRecording& recording, std::int64_t offset_ns) {
  constexpr std::int64_t kUsualOnes = 5;
  const auto& samples = recording.samples;
  std::vector<std::int64_t> intervals;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    intervals.push_back(samples[i].time_ns - samples[i - 1].time_ns);
  }
  const auto middle = intervals.begin() + static_cast<std::ptrdiff_t>(intervals.size() / 2);
  std::nth_element(intervals.begin(), middle, intervals.end());
  RailTrace trace({.name = "external",
                   .kind = RailKind::kPower,
                   .in_total = true,
                   .resolution = std::max(smallest_step(samples), recording.resolution),
                   .wraps_at = {},
                   .stamped = true},
                  kUsualOnes * *middle);
  for (const PowerSample& sample : samples) trace.add({sample.time_ns + offset_ns, sample.watts});
  for (std::int64_t i = 0; i < recording.rows_without_value; ++i) trace.add({0, kNoReading});
  return trace;
}

}  // namespace hedge
