// SPDX-License-Identifier: Apache-2.0
#include "builder/early_exit.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/text.h"
#include "graph/early_exit.h"
#include "graph/query.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::size_t kMostNames = 5;

std::optional<ValueId> find_tensor(const Graph& graph, const std::string& name) {
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (graph.values[i].name == name) return static_cast<ValueId>(i);
  }
  return std::nullopt;
}

/// The first output that is not the exit.
ValueId own_scores(const Graph& graph, ValueId exit) {
  const auto found =
      std::ranges::find_if(graph.outputs, [&](ValueId output) { return output != exit; });
  return found == graph.outputs.end() ? kNoValue : *found;
}

/// Scores for the same classes.
bool fits(const Graph& graph, ValueId exit, ValueId scores) {
  const TensorType& type = graph.value(exit).type;
  const TensorType& own = graph.value(scores).type;
  const std::int64_t batch = graph.input_type(0).shape.at(0);
  return type.type == DataType::kFloat32 && are_scores(type.shape, batch) &&
         element_count(type.shape) == element_count(own.shape);
}

/// One that takes as much as the net itself is the later exit of the two.
bool is_earlier(const Graph& graph, ValueId exit, ValueId scores) {
  return multiply_accumulates_of(graph, scores, exit) > 0 &&
         multiply_accumulates_of(graph, exit) < multiply_accumulates_of(graph, scores);
}

bool is_exit(const Graph& graph, ValueId exit) {
  const ValueId scores = own_scores(graph, exit);
  return scores != kNoValue && !graph.is_constant(exit) && fits(graph, exit, scores) &&
         stem_length(graph, exit) > 0 && is_earlier(graph, exit, scores);
}

[[noreturn]] void refuse_unknown(const Graph& graph, const std::string& tensor) {
  if (std::ranges::find(graph.unread, tensor) != graph.unread.end()) {
    throw bad_input(
        fmt::format("--exit={}: feeds no output of the model, so it is left out; make it an output "
                    "of the ONNX file; {}",
                    printable(tensor), exit_candidates(graph)));
  }
  std::vector<std::string> names;
  for (const Value& value : graph.values) {
    if (!value.constant) names.push_back(value.name);
  }
  const std::string near = nearest(tensor, names);
  throw bad_input(fmt::format(
      "--exit={}: the model has no tensor of this name{}; {}", printable(tensor),
      near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near), exit_candidates(graph)));
}

}  // namespace

bool are_scores(const Shape& shape, std::int64_t batch) {
  return shape.size() >= 2 && shape[0] == batch &&
         std::count_if(shape.begin() + 1, shape.end(), [](auto extent) { return extent > 1; }) <= 1;
}

std::string exit_candidates(const Graph& graph) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < graph.values.size() && names.size() < kMostNames; ++i) {
    const auto id = static_cast<ValueId>(i);
    if (is_exit(graph, id)) names.push_back(fmt::format("'{}'", printable(graph.value(id).name)));
  }
  if (!names.empty()) return "scores that would do: " + join_words(names);
  return "the model has no scores before its end; an early exit needs a head of its own "
         "(docs/early-exit.md)";
}

std::string own_exit(const Graph& graph) {
  if (graph.outputs.size() != 2 || !fits(graph, graph.outputs[1], graph.outputs[0])) return {};
  const auto macs = [&](std::size_t i) { return multiply_accumulates_of(graph, graph.outputs[i]); };
  const ValueId exit = graph.outputs[macs(0) < macs(1) ? 0 : 1];
  return is_exit(graph, exit) ? graph.value(exit).name : "";
}

void take_exit(Graph& graph, const std::string& tensor) {
  const std::optional<ValueId> exit = find_tensor(graph, tensor);
  if (!exit) refuse_unknown(graph, tensor);
  const auto refuse = [&](const std::string& reason) {
    return bad_input(
        fmt::format("--exit={}: {}; {}", printable(tensor), reason, exit_candidates(graph)));
  };
  const ValueId scores = own_scores(graph, *exit);
  if (scores == kNoValue) throw refuse("is what the model ends in, so nothing is behind it");
  const TensorType& type = graph.value(*exit).type;
  const TensorType& own = graph.value(scores).type;
  if (!fits(graph, *exit, scores)) {
    throw refuse(fmt::format("is {} {}, but an exit has scores as the net has, {} {}",
                             to_string(type.type), to_string(type.shape), to_string(own.type),
                             to_string(own.shape)));
  }
  if (graph.is_constant(*exit) || stem_length(graph, *exit) == 0) {
    throw refuse("does not depend on the image");
  }
  if (!is_earlier(graph, *exit, scores)) {
    throw refuse(
        fmt::format("takes as many multiply-accumulates as '{}' or more, so leaving there "
                    "saves nothing",
                    printable(graph.value(scores).name)));
  }
  std::erase(graph.outputs, *exit);
  graph.outputs.push_back(*exit);
}

ExitInfo lay_out_exit(Graph& graph, std::int64_t batch) {
  const ValueId exit = graph.outputs.back();
  order_stem_first(graph, exit);
  ExitInfo info{.output = graph.outputs.size() - 1,
                .ends_in_softmax = ends_in_softmax(graph, exit),
                .multiply_accumulates = multiply_accumulates_of(graph, exit) / batch,
                .cut = {}};
  for (const ValueId id : cut_values(graph, stem_length(graph, exit))) {
    info.cut.push_back({graph.value(id).name, graph.value(id).type.shape});
  }
  return info;
}

bool ends_in_softmax(const Graph& graph, ValueId output) {
  return std::ranges::any_of(graph.nodes, [&](const Node& node) {
    return is_op(node, "Softmax") && node.outputs.front() == output;
  });
}

}  // namespace hedge
