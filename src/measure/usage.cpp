// SPDX-License-Identifier: Apache-2.0
#include "measure/usage.h"

#include <sys/resource.h>

#include <ctime>

#include "base/clock.h"

namespace hedge {
namespace {

std::int64_t ns(const timeval& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + std::int64_t{time.tv_usec} * 1000;
}

}  // namespace

ProcessUsage ProcessUsage::operator-(const ProcessUsage& earlier) const noexcept {
  return {.wall_ns = wall_ns - earlier.wall_ns,
          .cpu_ns = cpu_ns - earlier.cpu_ns,
          .user_ns = user_ns - earlier.user_ns,
          .system_ns = system_ns - earlier.system_ns,
          .waits = waits - earlier.waits,
          .preemptions = preemptions - earlier.preemptions,
          .page_faults = page_faults - earlier.page_faults};
}

ProcessUsage& ProcessUsage::operator+=(const ProcessUsage& part) noexcept {
  *this = *this - (ProcessUsage{} - part);
  return *this;
}

ProcessUsage process_usage() noexcept {
  ProcessUsage usage;
  rusage facts{};
  if (getrusage(RUSAGE_SELF, &facts) == 0) {
    usage.user_ns = ns(facts.ru_utime);
    usage.system_ns = ns(facts.ru_stime);
    usage.waits = facts.ru_nvcsw;
    usage.preemptions = facts.ru_nivcsw;
    usage.page_faults = facts.ru_minflt + facts.ru_majflt;
  }
  timespec cpu{};
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0) {
    usage.cpu_ns = std::int64_t{cpu.tv_sec} * 1'000'000'000 + cpu.tv_nsec;
  }
  usage.wall_ns = SteadyClock::now_ns();
  return usage;
}

}  // namespace hedge
