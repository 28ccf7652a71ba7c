// SPDX-License-Identifier: Apache-2.0
#include "support/heap_counts.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cstdlib>

namespace {

std::atomic<bool> counting{false};
std::atomic<int> allocations{0};
std::atomic<int> own_allocations{0};
thread_local bool is_counter = false;
std::atomic<int> locks{0};

void count(std::atomic<int>& counter) {
  if (counting.load(std::memory_order_relaxed)) counter.fetch_add(1, std::memory_order_relaxed);
}

void count_allocation() {
  count(allocations);
  if (is_counter) count(own_allocations);
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t bytes) {
  count_allocation();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t n, std::size_t bytes) {
  count_allocation();
  return __libc_calloc(n, bytes);
}
void* realloc(void* block, std::size_t bytes) {
  count_allocation();
  return __libc_realloc(block, bytes);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  count_allocation();
  *block = __libc_memalign(alignment, bytes);
  return *block == nullptr ? 12 : 0;
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  count_allocation();
  return __libc_memalign(alignment, bytes);
}
int pthread_mutex_lock(pthread_mutex_t* mutex) {
  static auto* real = next<int(pthread_mutex_t*)>("pthread_mutex_lock");
  count(locks);
  return real(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* lock) {
  static auto* real = next<int(pthread_rwlock_t*)>("pthread_rwlock_rdlock");
  count(locks);
  return real(lock);
}
int pthread_rwlock_wrlock(pthread_rwlock_t* lock) {
  static auto* real = next<int(pthread_rwlock_t*)>("pthread_rwlock_wrlock");
  count(locks);
  return real(lock);
}
}

namespace hedge::test {

void begin_counting() {
  allocations = 0;
  own_allocations = 0;
  locks = 0;
  is_counter = true;
  counting = true;
}

HeapCounts end_counting() {
  counting = false;
  is_counter = false;
  return {allocations.load(), own_allocations.load(), locks.load()};
}

}  // namespace hedge::test
