// SPDX-License-Identifier: Apache-2.0
#include "engine/reference_layer.h"

#include <fmt/format.h>

#include <algorithm>

#include "graph/operators/common.h"
#include "graph/reference_executor.h"
#include "hedge/error.h"

namespace hedge {
namespace {

Tensor view(const TensorType& type, const std::byte* bytes) {
  return {type.type, type.shape, std::span(bytes, byte_count(type)), nullptr};
}

}  // namespace

std::size_t byte_count(const TensorType& type) {
  return static_cast<std::size_t>(element_count(type.shape)) * byte_size(type.type);
}

std::vector<ValueId> reference_inputs(const Node& node) {
  std::vector<ValueId> ids;
  for (const ValueId id : node.inputs) {
    if (id != kNoValue) ids.push_back(id);
  }
  for (const PostOp& post_op : node.post_ops) {
    if (post_op.operand != kNoValue) ids.push_back(post_op.operand);
  }
  return ids;
}

ReferenceLayer reference_layer(const Graph& graph, const Node& node) {
  ReferenceLayer layer{.node = node, .given = {}, .inputs = {}, .operands = {}, .outputs = {}};
  for (const ValueId id : node.inputs) {
    layer.given.push_back(id != kNoValue);
    if (id != kNoValue) layer.inputs.push_back(graph.value(id).type);
  }
  for (const PostOp& post_op : node.post_ops) {
    if (post_op.operand != kNoValue) layer.operands.push_back(graph.value(post_op.operand).type);
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    layer.outputs.emplace_back(i, graph.value(node.outputs[i]).type);
  }
  return layer;
}

void run_reference(const void* parameters, std::byte* const* buffers) {
  const auto& layer = *static_cast<const ReferenceLayer*>(parameters);
  std::vector<Tensor> inputs;
  std::size_t next = 0;
  for (const bool given : layer.given) {
    inputs.push_back(given ? view(layer.inputs[next], buffers[next]) : Tensor{});
    next += given ? 1 : 0;
  }
  std::vector<Tensor> operands;
  for (const TensorType& type : layer.operands) operands.push_back(view(type, buffers[next++]));
  const std::vector<Tensor> results = execute_node(layer.node, inputs, operands);
  for (const auto& [index, type] : layer.outputs) {
    const auto bytes = results.at(index).bytes();
    if (bytes.size() != byte_count(type)) {
      throw runtime_failure(fmt::format("{} ({}): the result has another size than inferred",
                                        layer.node.name, layer.node.op->name));
    }
    std::copy(bytes.begin(), bytes.end(), buffers[next++]);
  }
}

void run_conversion(const void* parameters, std::byte* const* buffers) {
  const auto& type = *static_cast<const TensorType*>(parameters);
  const Tensor from = view(type, buffers[0]);
  auto* to = reinterpret_cast<float*>(buffers[1]);
  operators::with_type(type.type, [&](auto zero) {
    const auto values = from.values<decltype(zero)>();
    std::transform(values.begin(), values.end(), to,
                   [](auto value) { return static_cast<float>(value); });
  });
}

std::vector<std::string> describe_slow(std::span<const SlowLayer> layers, std::size_t steps,
                                       std::string_view how) {
  if (layers.empty()) return {};
  std::string names;
  for (const SlowLayer& layer : layers) {
    names +=
        fmt::format("{}{} ({}: {})", names.empty() ? "" : ", ", layer.name, layer.op, layer.reason);
  }
  return {fmt::format("{} of {} steps {}: {}", layers.size(), steps, how, names)};
}

}  // namespace hedge
