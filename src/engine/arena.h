// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace hedge {

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

}  // namespace hedge
