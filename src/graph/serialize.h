// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hedge {

/// A graph as an engine file holds it: the structure as JSON, the bytes of all constants apart,
/// each on a 64-byte border so that they are used where they are mapped.
struct SerializedGraph {
  std::string structure;
  std::vector<std::byte> weights;
};

[[nodiscard]] SerializedGraph serialize(const Graph& graph);

/// Constants refer into `weights`, kept alive by `owner`. Throws bad_input on anything that is not
/// a graph that serialize() could have written.
[[nodiscard]] Graph deserialize(std::span<const std::byte> structure,
                                std::span<const std::byte> weights,
                                const std::shared_ptr<const void>& owner);

}  // namespace hedge
