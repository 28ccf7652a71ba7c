// SPDX-License-Identifier: Apache-2.0
#include "engine/arena.h"

#include <gtest/gtest.h>

namespace hedge {
namespace {

TEST(Arena, BlocksThatAreNeededAtOnceLieApart) {
  std::vector<ArenaBlock> blocks{{100, 0, 1}, {60, 1, 2}, {100, 2, 3}, {10, 0, 3}};
  const std::size_t bytes = lay_out_arena(blocks, 64);
  EXPECT_EQ(bytes, 128U + 64U + 64U);  // The first and the third share theirs.
  EXPECT_EQ(blocks[0].offset, blocks[2].offset);
  for (std::size_t a = 0; a < blocks.size(); ++a) {
    EXPECT_EQ(blocks[a].offset % 64, 0U);
    for (std::size_t b = a + 1; b < blocks.size(); ++b) {
      if (blocks[a].first > blocks[b].last || blocks[b].first > blocks[a].last) continue;
      EXPECT_TRUE(blocks[a].offset + blocks[a].bytes <= blocks[b].offset ||
                  blocks[b].offset + blocks[b].bytes <= blocks[a].offset)
          << a << " " << b;
    }
  }
  std::vector<ArenaBlock> none;
  EXPECT_EQ(lay_out_arena(none, 64), 0U);
}

}  // namespace
}  // namespace hedge
