// SPDX-License-Identifier: Apache-2.0
// infer() allocates nothing and takes no lock: malloc and the mutex functions are counted while it
// runs. A program of its own, because it replaces those functions for the whole process.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cstdlib>

#include "engine/backend.h"
#include "engine/container.h"
#include "graph/passes/passes.h"
#include "support/nets.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<int> allocations{0};
std::atomic<int> locks{0};

void count(std::atomic<int>& counter) {
  if (counting.load(std::memory_order_relaxed)) counter.fetch_add(1, std::memory_order_relaxed);
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
  count(allocations);
  return __libc_malloc(bytes);
}
void* calloc(std::size_t n, std::size_t bytes) {
  count(allocations);
  return __libc_calloc(n, bytes);
}
void* realloc(void* block, std::size_t bytes) {
  count(allocations);
  return __libc_realloc(block, bytes);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  count(allocations);
  *block = __libc_memalign(alignment, bytes);
  return *block == nullptr ? 12 : 0;
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  count(allocations);
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

namespace hedge {
namespace {

TEST(Infer, AllocatesNothingAndLocksNothing) {
  for (const auto& [name, make] : test::small_nets()) {
    for (const std::string precision : {"fp32", "bf16"}) {
      SCOPED_TRACE(name + " " + precision);
      Graph graph = make();
      optimize(graph);
      EngineContainer container;
      container.info.backend = "cpu";
      container.info.precision = precision;
      container.info.inputs = {{"in", graph.input_type(0).shape}};
      for (const ValueId id : graph.outputs) {
        container.info.outputs.push_back({graph.value(id).name, graph.value(id).type.shape});
      }
      try {
        container.sections = require_backend("cpu")
                                 .build(graph, {.precision = precision,
                                                .optimization_level = 1,
                                                .threads = 1,
                                                .timing_cache = {}})
                                 .sections;
      } catch (const Error& error) {
        ASSERT_EQ(precision, "bf16") << error.what();
        continue;
      }
      const auto context = make_engine(std::move(container))->create_context({});
      context->infer();  // The first run may set up what the library keeps for each thread.
      allocations = 0;
      locks = 0;
      counting = true;
      for (int i = 0; i < 10; ++i) context->infer();
      counting = false;
      EXPECT_EQ(allocations.load(), 0);
      EXPECT_EQ(locks.load(), 0);
    }
  }
}

TEST(Infer, TheCountersCount) {
  counting = true;
  ::free(::malloc(10));
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  counting = false;
  pthread_mutex_unlock(&mutex);
  EXPECT_GE(allocations.load(), 1);
  EXPECT_GE(locks.load(), 1);
}

}  // namespace
}  // namespace hedge
