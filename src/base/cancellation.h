// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

namespace hedge {

/// Set by the signal handler of the programs, read by long loops between two units of work. One
/// flag for the process, because Ctrl-C means the process. Lock-free, so async-signal-safe.
inline std::atomic<bool> cancellation_flag{false};
static_assert(std::atomic<bool>::is_always_lock_free);

inline void request_cancellation() noexcept {
  cancellation_flag.store(true, std::memory_order_relaxed);
}

[[nodiscard]] inline bool cancellation_requested() noexcept {
  return cancellation_flag.load(std::memory_order_relaxed);
}

}  // namespace hedge
