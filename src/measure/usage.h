// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace hedge {

/// What this process has used so far, all threads together, as getrusage and the clocks tell.
struct ProcessUsage {
  std::int64_t wall_ns = 0;  ///< Steady clock.
  std::int64_t cpu_ns = 0;   ///< CLOCK_PROCESS_CPUTIME_ID: user and system.
  std::int64_t user_ns = 0;
  std::int64_t system_ns = 0;
  std::int64_t waits = 0;        ///< Voluntary context switches: it slept or waited.
  std::int64_t preemptions = 0;  ///< Involuntary ones: another process or thread wanted the CPU.
  std::int64_t page_faults = 0;  ///< Minor and major ones.

  [[nodiscard]] ProcessUsage operator-(const ProcessUsage& earlier) const noexcept;
  ProcessUsage& operator+=(const ProcessUsage& part) noexcept;
  bool operator==(const ProcessUsage&) const = default;
};

/// Some microseconds, so it belongs before and after what is measured.
[[nodiscard]] ProcessUsage process_usage() noexcept;

}  // namespace hedge
