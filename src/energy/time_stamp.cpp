// SPDX-License-Identifier: Apache-2.0
#include "energy/time_stamp.h"

#include <chrono>

#include "base/text.h"

namespace hedge {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;

/// Takes text from the front.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  /// Exactly `digits` of them, a number from `low` to `high`; else the cursor has failed.
  int number(std::size_t digits, int low, int high) {
    if (rest_.size() < digits) return fail();
    for (const char c : rest_.substr(0, digits)) {
      if (c < '0' || c > '9') return fail();
    }
    const auto value = parse_integer<int>(rest_.substr(0, digits));
    if (!value || *value < low || *value > high) return fail();
    rest_.remove_prefix(digits);
    return *value;
  }
  bool skip(std::string_view any_of) {
    if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void need(std::string_view any_of) {
    if (!skip(any_of)) fail();
  }
  /// Digits after a point, as nanoseconds.
  std::int64_t fraction() {
    std::int64_t value = 0;
    std::int64_t unit = kSecond_ns;
    bool any = false;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      unit /= 10;
      value += unit * (rest_.front() - '0');
      rest_.remove_prefix(1);
      any = true;
    }
    if (!any) fail();
    return value;
  }
  int fail() {
    failed_ = true;
    return 0;
  }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

/// "+01:00", "+0100", "+01".
std::int64_t offset_ns(Cursor& cursor, bool west) {
  const int hours = cursor.number(2, 0, 15);
  const bool colon = cursor.skip(":");
  const int minutes = colon || !cursor.rest().empty() ? cursor.number(2, 0, 59) : 0;
  const std::int64_t seconds = std::int64_t{hours} * 3600 + std::int64_t{minutes} * 60;
  return (west ? -seconds : seconds) * kSecond_ns;
}

}  // namespace

std::optional<TimeStamp> parse_time_stamp(std::string_view text) {
  Cursor cursor(trim(text));
  const int year = cursor.number(4, 1970, 2200);
  cursor.need("-/");
  const int month = cursor.number(2, 1, 12);
  cursor.need("-/");
  const int day = cursor.number(2, 1, 31);
  cursor.need("T ");
  const int hour = cursor.number(2, 0, 23);
  cursor.need(":");
  const int minute = cursor.number(2, 0, 59);
  cursor.need(":");
  const int second = cursor.number(2, 0, 60);
  const std::int64_t fraction = !cursor.failed() && cursor.skip(".,") ? cursor.fraction() : 0;
  if (cursor.failed()) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  TimeStamp stamp;
  const std::int64_t seconds =
      days * 86400 + std::int64_t{hour} * 3600 + std::int64_t{minute} * 60 + second;
  stamp.unix_ns = seconds * kSecond_ns + fraction;
  (void)cursor.skip(" ");
  if (cursor.rest().empty()) return stamp;
  stamp.has_zone = true;
  const std::string_view zone = cursor.rest();
  if (zone == "Z" || zone == "z" || zone == "UTC" || zone == "GMT") return stamp;
  const bool west = zone.front() == '-';
  cursor.need("+-");
  if (!cursor.failed()) stamp.unix_ns -= offset_ns(cursor, west);
  if (cursor.failed() || !cursor.rest().empty()) return std::nullopt;
  return stamp;
}

}  // namespace hedge
