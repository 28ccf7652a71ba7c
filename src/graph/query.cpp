// SPDX-License-Identifier: Apache-2.0
#include "graph/query.h"

namespace hedge {

std::optional<std::span<const float>> constant_floats(const Graph& graph, ValueId id) {
  if (!graph.is_constant(id)) return std::nullopt;
  const Tensor& tensor = *graph.value(id).constant;
  if (tensor.type() != DataType::kFloat32) return std::nullopt;
  return tensor.values<float>();
}

std::optional<std::vector<float>> per_channel(const Graph& graph, ValueId id, std::size_t rank,
                                              std::size_t axis, std::int64_t channels) {
  const auto floats = constant_floats(graph, id);
  if (!floats) return std::nullopt;
  const Shape& shape = graph.value(id).type.shape;
  if (floats->size() == 1 && shape.size() <= rank) {
    return std::vector<float>(static_cast<std::size_t>(channels), floats->front());
  }
  // Broadcasting aligns the last axes.
  if (shape.size() > rank || shape.size() + axis < rank) return std::nullopt;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool is_channel = i + rank - shape.size() == axis;
    if (shape[i] != (is_channel ? channels : 1)) return std::nullopt;
  }
  return std::vector<float>(floats->begin(), floats->end());
}

}  // namespace hedge
