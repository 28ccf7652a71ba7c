// SPDX-License-Identifier: Apache-2.0
#include "graph/reference_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "graph/operators/operator.h"
#include "graph/post_op.h"

namespace hedge {
namespace {

Tensor apply(const PostOp& post_op, const Tensor& x, const Tensor& operand) {
  if (post_op.kind == PostOp::Kind::kAdd) {
    const std::array pair{x, operand};
    Tensor sum = get_operator("Add").execute({}, pair).at(0);
    if (sum.shape() != x.shape()) throw bad_input("a post-op's operand does not fit");
    return sum;
  }
  Tensor out(DataType::kFloat32, x.shape());
  const auto from = x.values<float>();
  std::transform(from.begin(), from.end(), out.mutable_values<float>().begin(),
                 [&](float v) { return apply_activation(post_op, v); });
  return out;
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
