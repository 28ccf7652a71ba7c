// SPDX-License-Identifier: Apache-2.0
#include "engine/arena.h"

#include <algorithm>
#include <utility>

namespace hedge {
namespace {

bool overlap(const ArenaBlock& a, const ArenaBlock& b) {
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

// Largest first, each at the lowest offset that is free during its life ("greedy by size",
// Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020).
std::size_t lay_out_arena(std::vector<ArenaBlock>& blocks, std::size_t alignment) {
  const auto bytes_of = [&](const ArenaBlock& block) {
    return (block.bytes + alignment - 1) / alignment * alignment;
  };
  std::vector<ArenaBlock*> order;
  for (ArenaBlock& block : blocks) order.push_back(&block);
  std::stable_sort(order.begin(), order.end(), [&](const ArenaBlock* a, const ArenaBlock* b) {
    return bytes_of(*a) > bytes_of(*b);
  });
  std::vector<const ArenaBlock*> placed;
  std::size_t total = 0;
  for (ArenaBlock* block : order) {
    std::vector<std::pair<std::size_t, std::size_t>> taken;  // begin, end
    for (const ArenaBlock* other : placed) {
      if (!overlap(*block, *other)) continue;
      taken.emplace_back(other->offset, other->offset + bytes_of(*other));
    }
    std::sort(taken.begin(), taken.end());
    std::size_t offset = 0;
    for (const auto& [begin, end] : taken) {
      if (begin >= offset + bytes_of(*block)) break;
      offset = std::max(offset, end);
    }
    block->offset = offset;
    total = std::max(total, offset + bytes_of(*block));
    placed.push_back(block);
  }
  return total;
}

}  // namespace hedge
