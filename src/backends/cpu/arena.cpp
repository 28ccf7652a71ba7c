// SPDX-License-Identifier: Apache-2.0
#include "engine/arena.h"

#include <algorithm>
#include <limits>

#include "backends/cpu/plan.h"

namespace hedge::cpu {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

}  // namespace

void lay_out_arena(Plan& plan) {
  // From the first step to the last one that touches each storage.
  std::vector<ArenaBlock> lives(plan.storages.size(), ArenaBlock{.first = kNever});
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    for (const Argument& argument : plan.steps[i].arguments) {
      ArenaBlock& block = lives[argument.storage];
      block.first = std::min(block.first, i);
      block.last = std::max(block.last, i);
    }
  }
  std::vector<ArenaBlock> blocks;
  std::vector<Storage*> storages;
  for (std::size_t i = 0; i < lives.size(); ++i) {
    Storage& storage = plan.storages[i];
    if (lives[i].first == kNever || storage.buffer.place != Buffer::Place::kArena) continue;
    lives[i].bytes = storage.bytes;
    blocks.push_back(lives[i]);
    storages.push_back(&storage);
  }
  plan.arena_bytes = hedge::lay_out_arena(blocks, kAlignment);
  for (std::size_t i = 0; i < blocks.size(); ++i) storages[i]->buffer.offset = blocks[i].offset;
}

}  // namespace hedge::cpu
