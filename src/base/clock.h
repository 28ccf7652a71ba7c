// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace hedge {

static_assert(std::chrono::steady_clock::is_steady);

/// The clock of all measurements: monotonic integer nanoseconds. Code that measures takes the clock
/// as a template parameter with this member, so that tests inject a scripted one and the timed path
/// has no virtual call.
struct SteadyClock {
  [[nodiscard]] static std::int64_t now_ns() noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace hedge
