// SPDX-License-Identifier: Apache-2.0
// Exporters write one activation as up to eight nodes, each exporter in another order: x *
// sigmoid(x), x * clip(x + 3, 0, 6) / 6, x / 2 * (1 + erf(x / sqrt(2))). What they have in common
// is the function, so that is what is compared: nodes that compute one number from one number are
// run on sample points and held against the functions that kernels have.
#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <set>

#include "graph/passes/edit.h"
#include "graph/passes/passes.h"
#include "graph/post_op.h"
#include "graph/reference_executor.h"

namespace hedge {
namespace {

using Kind = PostOp::Kind;

constexpr std::size_t kMostNodes = 12;
constexpr double kTolerance = 1e-5;
constexpr std::array<std::string_view, 21> kElementwise{
    "Add",     "Sub",  "Mul",        "Div",  "Pow",  "Neg",       "Abs",
    "Sigmoid", "Tanh", "Erf",        "Relu", "Clip", "Sqrt",      "Exp",
    "Log",     "Min",  "Reciprocal", "Max",  "Elu",  "LeakyRelu", "HardSigmoid"};

/// Nodes that compute `output` elementwise from `source` alone.
struct Region {
  std::set<std::int32_t> nodes;
  ValueId source = kNoValue;
  ValueId output = kNoValue;
};

/// Dense where activations bend, and far out where a bound would show.
const std::vector<float>& sample_points() {
  static const auto points = [] {
    std::vector<float> all{0};
    for (int i = -60; i <= 60; ++i) all.push_back(static_cast<float>(i) * 0.21F + 0.013F);
    for (float x = 1e-6F; x < 2e30F; x *= 10) all.insert(all.end(), {x, -x});
    return all;
  }();
  return points;
}

bool is_scalar(const Graph& graph, ValueId id) {
  return graph.is_constant(id) && graph.value(id).type.type == DataType::kFloat32 &&
         graph.value(id).constant->size() == 1;
}

/// Whether the node takes part: elementwise, of the shape wanted, with scalar constants only.
bool takes_part(const Graph& graph, const Node& node, const TensorType& type) {
  if (node.op == nullptr || !node.post_ops.empty() || node.outputs.size() != 1) return false;
  if (std::find(kElementwise.begin(), kElementwise.end(), node.op->name) == kElementwise.end()) {
    return false;
  }
  return graph.value(node.outputs[0]).type == type &&
         std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
           return id == kNoValue || is_scalar(graph, id) ||
                  (!graph.is_constant(id) && graph.value(id).type == type);
         });
}

/// f(sample points), by the reference implementations.
std::vector<float> evaluate(const Graph& graph, const Region& region) {
  const auto& points = sample_points();
  std::map<ValueId, Tensor> known;
  known[region.source] =
      Tensor::from<float>({static_cast<std::int64_t>(points.size())}, std::span(points));
  for (const std::int32_t i : region.nodes) {  // In order: a set is sorted.
    const Node& node = graph.nodes[static_cast<std::size_t>(i)];
    std::vector<Tensor> inputs;
    for (const ValueId id : node.inputs) {
      inputs.push_back(id == kNoValue          ? Tensor{}
                       : graph.is_constant(id) ? graph.value(id).constant->reshaped({})
                                               : known.at(id));
    }
    known[node.outputs[0]] = execute_node(node, inputs, {}).at(0);
  }
  const auto values = known.at(region.output).values<float>();
  return {values.begin(), values.end()};
}

/// The functions that kernels have, their parameters read off the samples.
std::vector<PostOp> candidates(const std::vector<float>& samples) {
  const auto& points = sample_points();
  const auto f = [&](float x) {
    const auto nearest = std::min_element(points.begin(), points.end(), [&](float a, float b) {
      return std::abs(a - x) < std::abs(b - x);
    });
    return std::pair<double, double>(*nearest,
                                     samples[static_cast<std::size_t>(nearest - points.begin())]);
  };
  const auto [one, at_one] = f(1);
  const auto [minus_one, at_minus_one] = f(-1);
  const auto [step, at_step] = f(0.1F);
  const double at_zero = f(0).second;
  // What still follows x out there has no bound.
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto [least, at_least] = f(-1e30F);
  const auto [most, at_most] = f(1e30F);
  const double lowest = at_least == least ? -kInfinity : at_least;
  const double highest = at_most == most ? kInfinity : at_most;
  std::vector<PostOp> all{
      {.kind = Kind::kRelu},
      {.kind = Kind::kHardSwish},
      {.kind = Kind::kGelu},
      {.kind = Kind::kGeluTanh},
      {.kind = Kind::kSigmoid},
      {.kind = Kind::kTanh},
      {.kind = Kind::kClip,
       .alpha = static_cast<float>(lowest),
       .beta = static_cast<float>(highest)},
      {.kind = Kind::kElu, .alpha = static_cast<float>(-lowest)},
      {.kind = Kind::kLeakyRelu, .alpha = static_cast<float>(at_minus_one / minus_one)},
      {.kind = Kind::kHardSigmoid,
       .alpha = static_cast<float>((at_step - at_zero) / step),
       .beta = static_cast<float>(at_zero)}};
  const double gate = at_one / one;  // x * sigmoid(alpha * x)
  if (gate > 0 && gate < 1) {
    all.push_back(
        {.kind = Kind::kSwish, .alpha = static_cast<float>(std::log(gate / (1 - gate)) / one)});
  }
  return all;
}

std::optional<PostOp> recognise(const std::vector<float>& samples) {
  const auto& points = sample_points();
  if (!std::all_of(samples.begin(), samples.end(), [](float y) { return std::isfinite(y); })) {
    return std::nullopt;
  }
  for (PostOp& candidate : candidates(samples)) {
    bool same = true;
    for (std::size_t i = 0; same && i < points.size(); ++i) {
      const double wanted = apply_activation(candidate, points[i]);
      same = std::abs(samples[i] - wanted) <= kTolerance * std::max(1.0, std::abs(wanted));
    }
    if (!same) continue;
    if (candidate.kind == Kind::kSwish && std::abs(candidate.alpha - 1) < 1e-5F)
      candidate.alpha = 1;
    return candidate;
  }
  return std::nullopt;
}

/// Grows from the node that makes the output towards the inputs, latest node first, and notes each
/// stage at which one value goes in and nothing but the output comes out.
std::vector<Region> regions_ending_in(const Graph& graph, const GraphIndex& index,
                                      std::int32_t last) {
  const Node& end = graph.nodes[static_cast<std::size_t>(last)];
  const TensorType& type = graph.value(end.outputs[0]).type;
  std::vector<Region> regions;
  std::set<std::int32_t> nodes;
  // With its producer in front, so that the latest is at the end. (Two outputs of one node, and two
  // inputs of the graph, have one producer.)
  std::set<std::pair<std::int32_t, ValueId>> leaves;
  const auto add = [&](std::int32_t i) {
    nodes.insert(i);
    for (const ValueId id : graph.nodes[static_cast<std::size_t>(i)].inputs) {
      if (id == kNoValue || graph.is_constant(id)) continue;
      leaves.emplace(index.producer[static_cast<std::size_t>(id)], id);
    }
  };
  add(last);
  while (nodes.size() <= kMostNodes && !leaves.empty()) {
    if (leaves.size() == 1) {
      regions.push_back({nodes, leaves.begin()->second, end.outputs[0]});
    }
    const auto [producer, value] = *leaves.rbegin();
    if (producer < 0 || index.is_output[static_cast<std::size_t>(value)]) break;
    const auto& readers = index.consumers[static_cast<std::size_t>(value)];
    const bool internal = std::all_of(readers.begin(), readers.end(),
                                      [&](std::int32_t reader) { return nodes.contains(reader); });
    if (!internal || !takes_part(graph, graph.nodes[static_cast<std::size_t>(producer)], type)) {
      break;
    }
    leaves.erase(std::prev(leaves.end()));
    add(producer);
  }
  return regions;
}

bool recognise_at(Graph& graph, const GraphIndex& index, std::int32_t i) {
  Node& node = graph.nodes[static_cast<std::size_t>(i)];
  if (node.op == nullptr || node.outputs.empty() || node.outputs[0] == kNoValue) return false;
  const TensorType type = graph.value(node.outputs[0]).type;
  if (type.type != DataType::kFloat32 || !takes_part(graph, node, type)) return false;
  auto regions = regions_ending_in(graph, index, i);
  std::reverse(regions.begin(), regions.end());  // Largest first.
  for (const Region& region : regions) {
    if (region.nodes.size() == 1 && activation_of(graph, node)) continue;
    const auto post_op = recognise(evaluate(graph, region));
    if (!post_op) continue;
    node.op = &get_operator("Identity");
    node.attributes = {};
    node.inputs = {region.source};
    node.post_ops = {*post_op};
    return true;
  }
  return false;
}

}  // namespace

bool recognise_activations(Graph& graph) {
  bool changed = false;
  // From the end, so that a whole pattern is seen before its parts.
  GraphIndex index(graph);
  for (auto i = static_cast<std::int32_t>(graph.nodes.size()); i-- > 0;) {
    if (!recognise_at(graph, index, i)) continue;
    changed = true;
    remove_dead_nodes(graph);
    index = GraphIndex(graph);
    i = std::min(i, static_cast<std::int32_t>(graph.nodes.size()));
  }
  return changed;
}

}  // namespace hedge
