// SPDX-License-Identifier: Apache-2.0
#include "measure/paced_load.h"

#include <fmt/format.h>

#include <cmath>
#include <ctime>

#include "hedge/error.h"

namespace hedge {

ArrivalTimes::ArrivalTimes(double rate_per_s, Arrivals arrivals, std::uint64_t seed)
    : gap_ns_(1e9 / rate_per_s), arrivals_(arrivals), random_(seed) {
  if (!(rate_per_s > 0 && rate_per_s <= 1e9)) {  // NaN too
    throw bad_input(
        fmt::format("a rate of {} a second is not above 0 and at most 1e9", rate_per_s));
  }
}

std::int64_t ArrivalTimes::next() {
  if (arrivals_ == Arrivals::kPeriodic) {
    return std::llround(static_cast<double>(count_++) * gap_ns_);
  }
  // Inverse transform of a uniform in (0, 1), because the standard's distributions differ from
  // library to library.
  const double uniform = (static_cast<double>(random_() >> 11U) + 0.5) * 0x1p-53;
  poisson_ns_ -= gap_ns_ * std::log(uniform);
  return std::llround(poisson_ns_);
}

void DeadlineSleeper::operator()(std::int64_t deadline_ns) const noexcept {
  // A signal may come to another thread than this one, so that long sleeps look up now and then.
  constexpr std::int64_t kLongest_ns = 500'000'000;
  constexpr std::int64_t kSecond_ns = 1'000'000'000;
  const std::int64_t until = std::min(deadline_ns, SteadyClock::now_ns() + kLongest_ns);
  timespec time{};
  time.tv_sec = until / kSecond_ns;
  time.tv_nsec = until % kSecond_ns;
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
}

}  // namespace hedge
