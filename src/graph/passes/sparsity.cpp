// SPDX-License-Identifier: Apache-2.0
#include "graph/passes/sparsity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>

#include "graph/operators/operator.h"
#include "graph/query.h"

namespace hedge {
namespace {

constexpr std::int64_t kGroup = 4;
constexpr std::int64_t kKept = 2;

/// Where the weights of a layer lie: outer x channels x inner, of which channels come in groups.
struct Weights {
  ValueId value = kNoValue;
  std::int64_t outer = 0, channels = 0, inner = 0;
};

std::optional<Weights> weights_of(const Graph& graph, const Node& node) {
  const bool conv = is_op(node, "Conv");
  if ((!conv && !is_op(node, "Gemm")) || !graph.is_constant(node.inputs.at(1))) return std::nullopt;
  const Shape& shape = graph.value(node.inputs[1]).type.shape;
  if (graph.value(node.inputs[1]).type.type != DataType::kFloat32 || shape.size() < 2) {
    return std::nullopt;
  }
  Weights weights{.value = node.inputs[1]};
  if (conv || node.attributes.get_int("transB", 0) != 0) {  // Outputs first.
    weights.outer = shape[0];
    weights.channels = shape[1];
    weights.inner = element_count(Shape(shape.begin() + 2, shape.end()));
  } else {
    weights.outer = 1;
    weights.channels = shape[0];
    weights.inner = shape[1];
  }
  if (weights.channels < kGroup) return std::nullopt;
  return weights;
}

/// Calls `visit` with the places of each group.
template <class Visit>
void each_group(const Weights& weights, Visit visit) {
  for (std::int64_t o = 0; o < weights.outer; ++o) {
    for (std::int64_t i = 0; i < weights.inner; ++i) {
      for (std::int64_t c = 0; c < weights.channels; c += kGroup) {
        std::array<std::size_t, kGroup> places{};
        const std::int64_t count = std::min(kGroup, weights.channels - c);
        for (std::int64_t n = 0; n < count; ++n) {
          places[static_cast<std::size_t>(n)] =
              static_cast<std::size_t>((o * weights.channels + c + n) * weights.inner + i);
        }
        visit(std::span(places).first(static_cast<std::size_t>(count)));
      }
    }
  }
}

bool is_sparse(const Weights& weights, std::span<const float> values) {
  bool sparse = true;
  each_group(weights, [&](std::span<const std::size_t> places) {
    const auto others =
        std::ranges::count_if(places, [&](std::size_t p) { return values[p] != 0; });
    sparse = sparse && others <= kKept;
  });
  return sparse;
}

}  // namespace

std::vector<std::string> sparse_layers(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) {
    const auto weights = weights_of(graph, node);
    if (weights && is_sparse(*weights, graph.value(weights->value).constant->values<float>())) {
      names.push_back(node.name);
    }
  }
  return names;
}

std::vector<std::string> prune_two_of_four(Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) {
    const auto weights = weights_of(graph, node);
    if (!weights) continue;
    Tensor& tensor = *graph.value(weights->value).constant;
    if (is_sparse(*weights, tensor.values<float>())) continue;
    const auto values = tensor.mutable_values<float>();
    each_group(*weights, [&](std::span<std::size_t> places) {
      // Of equals the first stay.
      std::ranges::stable_sort(places, [&](std::size_t a, std::size_t b) {
        return std::fabs(values[a]) > std::fabs(values[b]);
      });
      for (std::size_t n = kKept; n < places.size(); ++n) values[places[n]] = 0;
    });
    names.push_back(node.name);
  }
  return names;
}

}  // namespace hedge
