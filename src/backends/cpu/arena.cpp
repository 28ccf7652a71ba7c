// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "backends/cpu/plan.h"

namespace hedge::cpu {
namespace {

constexpr std::size_t kAlignment = 64;

struct Interval {
  std::size_t storage = 0;
  std::size_t first = std::numeric_limits<std::size_t>::max();
  std::size_t last = 0;
};

/// From the first step to the last one that touches each storage of the arena.
std::vector<Interval> live_intervals(const Plan& plan) {
  std::vector<Interval> intervals(plan.storages.size());
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    for (const Argument& argument : plan.steps[i].arguments) {
      Interval& interval = intervals[argument.storage];
      interval.storage = argument.storage;
      interval.first = std::min(interval.first, i);
      interval.last = std::max(interval.last, i);
    }
  }
  std::erase_if(intervals, [&](const Interval& interval) {
    return interval.first > interval.last ||
           plan.storages[interval.storage].buffer.place != Buffer::Place::kArena;
  });
  return intervals;
}

bool overlap(const Interval& a, const Interval& b) {
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

// Largest first, each at the lowest offset that is free during its life ("greedy by size",
// Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020).
void lay_out_arena(Plan& plan) {
  std::vector<Interval> intervals = live_intervals(plan);
  const auto bytes_of = [&](const Interval& interval) {
    return (plan.storages[interval.storage].bytes + kAlignment - 1) / kAlignment * kAlignment;
  };
  std::stable_sort(intervals.begin(), intervals.end(),
                   [&](const auto& a, const auto& b) { return bytes_of(a) > bytes_of(b); });
  std::vector<Interval> placed;
  plan.arena_bytes = 0;
  for (const Interval& interval : intervals) {
    std::vector<std::pair<std::size_t, std::size_t>> taken;  // begin, end
    for (const Interval& other : placed) {
      if (!overlap(interval, other)) continue;
      const std::size_t begin = plan.storages[other.storage].buffer.offset;
      taken.emplace_back(begin, begin + bytes_of(other));
    }
    std::sort(taken.begin(), taken.end());
    std::size_t offset = 0;
    for (const auto& [begin, end] : taken) {
      if (begin >= offset + bytes_of(interval)) break;
      offset = std::max(offset, end);
    }
    plan.storages[interval.storage].buffer.offset = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, offset + bytes_of(interval));
    placed.push_back(interval);
  }
}

}  // namespace hedge::cpu
