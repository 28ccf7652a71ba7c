// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/emulation/block.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "backends/cuda/emulation/fiber.h"

namespace hedge::emulation {

uint3 thread_index, block_index;
dim3 block_extent, grid_extent;

namespace {

constexpr int kMostThreads = 1024;
/// Sanitized code takes several times as much as other code.
constexpr std::size_t kStackBytes = std::size_t{256} << 10U;

/// Those who wait for it look for the next round.
struct Meeting {
  int arrived = 0;
  unsigned round = 0;
  void end() {
    arrived = 0;
    ++round;
  }
};

struct Warp {
  Meeting meeting;
  Together together = nullptr;
  void* lanes[kLanes] = {};
};

struct Thread {
  Thread() : fiber(kStackBytes) {}
  Fiber fiber;
  uint3 index{};
  const Meeting* awaited = nullptr;
  unsigned round = 0;
  bool ended = true;
  [[nodiscard]] bool can_run() const {
    return !ended && (awaited == nullptr || awaited->round != round);
  }
};

/// One grid at a time; its static shared memory is the kernel's.
std::mutex one_grid;
Fiber scheduler;
std::vector<std::unique_ptr<Thread>> threads;
std::vector<Warp> warps;
int thread_count = 0;
int live = 0;
int self = 0;  ///< The running thread.
Meeting block_meeting;
const std::function<void()>* kernel = nullptr;
float4* dynamic_memory = nullptr;
std::map<std::size_t, std::unique_ptr<void, decltype(&std::free)>> memories;  ///< By size.

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "emulated GPU: block (%u, %u, %u): %s\n", block_index.x, block_index.y,
               block_index.z, what);
  std::abort();
}

/// The order of warps and of a warp's threads, which must not matter.
bool goes_backwards() {
  static const bool backwards = std::getenv("HEDGE_EMULATION_BACKWARDS") != nullptr;
  return backwards;
}

void go_to(int next, Fiber& from, bool for_good = false) {
  self = next;
  Thread& to = *threads[static_cast<std::size_t>(next)];
  to.awaited = nullptr;
  thread_index = to.index;
  from.switch_to(to.fiber, for_good);
}

/// On with another thread of the warp, or whatever the scheduler finds.
void leave(bool for_good) {
  Fiber& from = threads[static_cast<std::size_t>(self)]->fiber;
  const int first = self - self % kLanes;
  const int step = goes_backwards() ? kLanes - 1 : 1;
  for (int i = 1; i < kLanes; ++i) {
    const int next = first + (self + i * step) % kLanes;
    if (next < thread_count && threads[static_cast<std::size_t>(next)]->can_run()) {
      return go_to(next, from, for_good);
    }
  }
  from.switch_to(scheduler, for_good);
}

void wait_for(const Meeting& meeting) {
  Thread& me = *threads[static_cast<std::size_t>(self)];
  me.awaited = &meeting;
  me.round = meeting.round;
  leave(false);
}

void run_thread() {
  (*kernel)();
  Thread& me = *threads[static_cast<std::size_t>(self)];
  me.ended = true;
  --live;
  if (live > 0 && block_meeting.arrived == live) block_meeting.end();
  leave(true);
  std::abort();  // Nobody goes on here.
}

void begin_block(const Grid& grid) {
  live = thread_count;
  block_meeting = {};
  std::fill(warps.begin(), warps.end(), Warp{});
  for (int i = 0; i < thread_count; ++i) {
    Thread& thread = *threads[static_cast<std::size_t>(i)];
    const auto flat = static_cast<unsigned>(i);
    thread.index = {flat % grid.threads.x, flat / grid.threads.x % grid.threads.y,
                    flat / grid.threads.x / grid.threads.y};
    thread.awaited = nullptr;
    thread.ended = false;
    thread.fiber.begin(run_thread);
  }
}

void run_block() {
  while (live > 0) {
    bool ran = false;
    for (int i = 0; i < thread_count; ++i) {
      const int next = goes_backwards() ? thread_count - 1 - i : i;
      if (!threads[static_cast<std::size_t>(next)]->can_run()) continue;
      ran = true;
      go_to(next, scheduler);
    }
    if (!ran)
      fail("threads wait for others of their warp or block that have ended or wait elsewhere");
  }
}

}  // namespace

void run_grid(const Grid& grid, const std::function<void()>& thread) {
  const std::lock_guard lock(one_grid);
  kernel = &thread;
  grid_extent = grid.blocks;
  block_extent = grid.threads;
  thread_count = static_cast<int>(grid.threads.x * grid.threads.y * grid.threads.z);
  if (thread_count > kMostThreads) fail("more than 1024 threads in a block");
  while (static_cast<int>(threads.size()) < thread_count) {
    threads.push_back(std::make_unique<Thread>());
  }
  warps.resize(static_cast<std::size_t>((thread_count + kLanes - 1) / kLanes));
  // Of exactly this size, so that a sanitizer sees what lies beyond; kept, so that a graph that is
  // replayed allocates nothing.
  const auto [entry, fresh] = memories.try_emplace(grid.shared_bytes, nullptr, &std::free);
  auto& memory = entry->second;
  if (fresh) memory.reset(std::malloc(grid.shared_bytes));
  dynamic_memory = static_cast<float4*>(memory.get());
  for (unsigned z = 0; z < grid.blocks.z; ++z) {
    for (unsigned y = 0; y < grid.blocks.y; ++y) {
      for (unsigned x = 0; x < grid.blocks.x; ++x) {
        block_index = {x, y, z};
        if (grid.shared_bytes > 0) std::memset(memory.get(), 0xff, grid.shared_bytes);  // NaNs.
        begin_block(grid);
        run_block();
      }
    }
  }
}

float4* shared_memory() {
  return dynamic_memory;
}

void meet_block() {
  if (block_meeting.arrived + 1 == live) return block_meeting.end();
  ++block_meeting.arrived;
  wait_for(block_meeting);
}

void meet_warp(Together together, void* mine) {
  Warp& warp = warps[static_cast<std::size_t>(self / kLanes)];
  if (warp.meeting.arrived > 0 && warp.together != together) {
    fail("threads of a warp meet at different instructions");
  }
  warp.together = together;
  warp.lanes[self % kLanes] = mine;
  if (warp.meeting.arrived + 1 < kLanes) {
    ++warp.meeting.arrived;
    return wait_for(warp.meeting);
  }
  if (together != nullptr) together(warp.lanes);
  warp.meeting.end();
}

}  // namespace hedge::emulation
