// SPDX-License-Identifier: Apache-2.0
#include "graph/reference_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "graph/operators/operator.h"

namespace hedge {
namespace {

/// A new tensor with f applied to each element and, where there is one, the operand's.
template <class Function>
Tensor apply(const Tensor& x, const Tensor& operand, Function f) {
  Tensor out(DataType::kFloat32, x.shape());
  const auto from = x.values<float>();
  const auto to = out.mutable_values<float>();
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i] = f(from[i], operand ? operand.values<float>()[i] : 0.F);
  }
  return out;
}

Tensor apply(const PostOp& post_op, const Tensor& x, const Tensor& operand) {
  switch (post_op.kind) {
    case PostOp::Kind::kAdd:
      if (operand.shape() != x.shape()) throw bad_input("a post-op's operand has another shape");
      return apply(x, operand, [](float a, float b) { return a + b; });
    case PostOp::Kind::kRelu:
      return apply(x, {}, [](float a, float) { return a < 0 ? 0.F : a; });
    case PostOp::Kind::kClip:
      break;
  }
  return apply(x, {},
               [&](float a, float) { return std::min(std::max(a, post_op.alpha), post_op.beta); });
}

Node transpose_node(const std::vector<std::int64_t>& permutation) {
  Node node;
  node.op = &get_operator("Transpose");
  node.attributes.set("perm", permutation);
  node.outputs = {0};
  return node;
}

}  // namespace

std::vector<Tensor> execute_node(const Node& node, std::span<const Tensor> inputs,
                                 std::span<const Tensor> operands) {
  std::vector<Tensor> outputs = node.op->execute(node, inputs);
  std::size_t next = 0;
  for (const PostOp& post_op : node.post_ops) {
    const Tensor operand = post_op.kind == PostOp::Kind::kAdd ? operands[next++] : Tensor{};
    outputs.at(0) = apply(post_op, outputs.at(0), operand);
  }
  return outputs;
}

std::vector<Tensor> execute(const Graph& graph, std::span<const Tensor> inputs) {
  if (inputs.size() != graph.inputs.size()) {
    throw bad_input(
        fmt::format("{} inputs were given, the graph has {}", inputs.size(), graph.inputs.size()));
  }
  std::vector<Tensor> values(graph.values.size());
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (graph.values[i].constant) values[i] = *graph.values[i].constant;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].shape() != graph.input_type(i).shape) {
      throw bad_input(fmt::format("input {} has shape {}, the graph wants {}", i,
                                  to_string(inputs[i].shape()),
                                  to_string(graph.input_type(i).shape)));
    }
    const GraphInput& input = graph.inputs[i];
    values[static_cast<std::size_t>(input.value)] =
        input.permutation.empty()
            ? inputs[i]
            : execute_node(transpose_node(input.permutation), inputs.subspan(i, 1), {}).at(0);
  }
  const auto of = [&](ValueId id) {
    return id == kNoValue ? Tensor{} : values[static_cast<std::size_t>(id)];
  };
  for (const Node& node : graph.nodes) {
    std::vector<Tensor> arguments;
    for (const ValueId id : node.inputs) arguments.push_back(of(id));
    std::vector<Tensor> operands;
    for (const PostOp& post_op : node.post_ops) {
      if (post_op.operand != kNoValue) operands.push_back(of(post_op.operand));
    }
    std::vector<Tensor> results = execute_node(node, arguments, operands);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) {
        values[static_cast<std::size_t>(node.outputs[i])] = std::move(results.at(i));
      }
    }
  }
  std::vector<Tensor> outputs;
  for (const ValueId id : graph.outputs) outputs.push_back(of(id));
  return outputs;
}

}  // namespace hedge
