// SPDX-License-Identifier: Apache-2.0
#include "graph/movement.h"

#include <numeric>
#include <span>
#include <utility>

#include "graph/operators/operator.h"
#include "graph/query.h"

namespace hedge {
namespace {

/// Up to here every integer is a float.
constexpr std::int64_t kMostTraced = std::int64_t{1} << 24;
constexpr float kFillMark = -1;

}  // namespace

std::optional<Movement> trace_movement(const Graph& graph, Node node) {
  const Shape& shape = graph.value(node.inputs[0]).type.shape;
  const std::int64_t count = element_count(shape);
  if (count > kMostTraced) return std::nullopt;
  std::vector<float> positions(static_cast<std::size_t>(count));
  std::iota(positions.begin(), positions.end(), 0.F);
  std::vector<Tensor> inputs{Tensor::from<float>(shape, std::span(std::as_const(positions)))};
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) {
      inputs.emplace_back();
    } else if (graph.is_constant(node.inputs[i])) {
      inputs.push_back(*graph.value(node.inputs[i]).constant);
    } else {
      return std::nullopt;
    }
  }
  Movement result;
  if (is_op(node, "Pad")) {
    const bool given = inputs.size() > 2 && inputs[2];
    result.fill = given ? inputs[2].values<float>()[0] : node.attributes.get_float("value", 0);
    if (given) inputs[2] = Tensor::from<float>(inputs[2].shape(), std::span(&kFillMark, 1));
    node.attributes.set("value", kFillMark);
  }
  const Tensor moved = node.op->execute(node, inputs).at(0);
  for (const float position : moved.values<float>()) {
    result.sources.push_back(static_cast<std::int32_t>(position));
  }
  return result;
}

}  // namespace hedge
