// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace hedge {

// A graph with an early exit is one graph whose nodes are so ordered that those which the exit's
// scores need, the stem, come first; the rest is the tail. Nothing else tells the parts apart.

/// Brings the nodes that `exit` needs to the front; both parts keep their order.
void order_stem_first(Graph& graph, ValueId exit);

/// Nodes up to the last one that `exit` needs: the length of the stem.
[[nodiscard]] std::size_t stem_length(const Graph& graph, ValueId exit);

/// What the nodes behind the first `stem` of them read of what those made or of the graph's
/// inputs: the least that the tail needs of the stem. In the order of the values' numbers.
[[nodiscard]] std::vector<ValueId> cut_values(const Graph& graph, std::size_t stem);

/// Multiply-accumulates of one run of the nodes that `value` needs, without those that `other`
/// needs too.
[[nodiscard]] std::int64_t multiply_accumulates_of(const Graph& graph, ValueId value,
                                                   ValueId other = kNoValue);

}  // namespace hedge
