// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

// Resolved from the OpenMP runtime that oneDNN brings, whose threads are shared with it; where
// oneDNN uses another one, our own kernels run in the calling thread alone.
extern "C" {
__attribute__((weak)) void omp_set_num_threads(int threads);
__attribute__((weak)) void GOMP_parallel(void (*body)(void*), void* data, unsigned threads,
                                         unsigned flags);
__attribute__((weak)) int omp_get_thread_num();
__attribute__((weak)) int omp_get_num_threads();
}

namespace hedge::cpu {

/// oneDNN's OpenMP threads for the calling thread. Nothing where oneDNN uses another runtime.
inline void use_threads(int threads) noexcept {
  if (omp_set_num_threads != nullptr) omp_set_num_threads(threads);
}

/// Calls body(first, last) so that the calls together cover 0 .. jobs-1, in up to `threads`
/// threads.
template <class Body>
void parallel_for(int jobs, int threads, const Body& body) {
  if (threads <= 1 || jobs <= 1 || GOMP_parallel == nullptr) return body(0, jobs);
  struct Task {
    const Body* body;
    int jobs;
  } task{&body, jobs};
  const auto part = [](void* data) {
    const auto& mine = *static_cast<const Task*>(data);
    const std::int64_t thread = omp_get_thread_num();
    const std::int64_t team = omp_get_num_threads();
    const auto first = static_cast<int>(mine.jobs * thread / team);
    const auto last = static_cast<int>(mine.jobs * (thread + 1) / team);
    if (first < last) (*mine.body)(first, last);
  };
  GOMP_parallel(part, &task, static_cast<unsigned>(std::min(threads, jobs)), 0);
}

}  // namespace hedge::cpu
