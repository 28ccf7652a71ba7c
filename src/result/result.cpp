// SPDX-License-Identifier: Apache-2.0
#include "result/result.h"

#include <fmt/format.h>

#include <ctime>
#include <utility>

namespace hedge {

Result make_result(std::string program, std::chrono::system_clock::time_point now) {
  Result result;
  result.program = std::move(program);
  result.time_utc = utc_time_text(now);
  result.hedge_version = HEDGE_VERSION;
  return result;
}

std::string utc_time_text(std::chrono::system_clock::time_point time) {
  // Down, also before 1970; to_time_t may round.
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto since_epoch = static_cast<std::time_t>(seconds.time_since_epoch().count());
  std::tm parts{};
  ::gmtime_r(&since_epoch, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace hedge
