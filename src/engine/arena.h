// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace hedge {

/// Where the bytes of a compiled plan's value are when the plan runs.
struct Buffer {
  enum class Place : std::uint8_t {
    kArena,    ///< `offset` bytes into the context's arena.
    kInput,    ///< The caller's input.
    kOutput,   ///< Output number `offset`.
    kWeights,  ///< A constant, shared by all contexts; `offset` says which, as the backend counts.
  };
  Place place = Place::kArena;
  std::size_t offset = 0;
};

/// A stretch of memory that one or more values use (views and in-place results share one).
struct Storage {
  std::size_t bytes = 0;
  Buffer buffer;
};

/// A value of an arena: its bytes, and the first and last step that touch it.
struct ArenaBlock {
  std::size_t bytes = 0;
  std::size_t first = 0;
  std::size_t last = 0;
  std::size_t offset = 0;  ///< Set by lay_out_arena; a multiple of the alignment.
};

/// Gives each block its place: two share bytes only if no step needs both. Returns the size of the
/// whole.
[[nodiscard]] std::size_t lay_out_arena(std::vector<ArenaBlock>& blocks, std::size_t alignment);

/// The same for a plan, whose `steps` have `arguments` that name one of its `storages`: each lives
/// from the first step to the last one that touches it. Sets `arena_bytes`.
template <typename Plan>
void lay_out_plan(Plan& plan, std::size_t alignment) {
  constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
  std::vector<ArenaBlock> lives(plan.storages.size(), ArenaBlock{.first = kNever});
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    for (const auto& argument : plan.steps[i].arguments) {
      ArenaBlock& block = lives[argument.storage];
      block.first = std::min(block.first, i);
      block.last = i;
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
  plan.arena_bytes = lay_out_arena(blocks, alignment);
  for (std::size_t i = 0; i < blocks.size(); ++i) storages[i]->buffer.offset = blocks[i].offset;
}

}  // namespace hedge
