// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace hedge::test {

/// Calls of malloc and its kin, and of the functions that lock mutexes, by all threads. Link
/// heap_counts.cpp, which replaces those functions for the whole process; not under sanitizers,
/// which have a malloc of their own.
struct HeapCounts {
  int allocations = 0;
  int own_allocations = 0;  ///< Of these, by the thread that counts.
  int locks = 0;
};

void begin_counting();
[[nodiscard]] HeapCounts end_counting();

/// What `run` did.
template <class Run>
HeapCounts counts_of(Run run) {
  begin_counting();
  run();
  return end_counting();
}

}  // namespace hedge::test
