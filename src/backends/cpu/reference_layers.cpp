// SPDX-License-Identifier: Apache-2.0
// Layers without a fast kernel: their operators' reference implementations, which allocate.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "backends/cpu/compiler.h"
#include "graph/operators/common.h"
#include "graph/reference_executor.h"

namespace hedge::cpu {
namespace {

using Type = dnnl::memory::data_type;

std::size_t bytes_of(const TensorType& type) {
  return static_cast<std::size_t>(element_count(type.shape)) * byte_size(type.type);
}

/// The buffers of a reference step: its inputs and post-ops' operands, then its outputs.
struct ReferenceLayer {
  Node node;
  std::vector<bool> given;  ///< By input: whether it is there at all.
  std::vector<TensorType> inputs, operands;
  std::vector<std::pair<std::size_t, TensorType>> outputs;  ///< Which one, and its type.
};

Tensor view(const TensorType& type, const std::byte* bytes) {
  return {type.type, type.shape, std::span(bytes, bytes_of(type)), nullptr};
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
    if (bytes.size() != bytes_of(type)) {
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

}  // namespace

std::vector<std::string> warnings_of(const Plan& plan) {
  const auto warn = [&](const std::vector<SlowLayer>& layers, std::string_view how,
                        std::vector<std::string>& warnings) {
    if (layers.empty()) return;
    std::string names;
    for (const SlowLayer& layer : layers) {
      names += fmt::format("{}{} ({}: {})", names.empty() ? "" : ", ", layer.name, layer.op,
                           layer.reason);
    }
    warnings.push_back(
        fmt::format("{} of {} steps {}: {}", layers.size(), plan.steps.size(), how, names));
  };
  std::vector<std::string> warnings;
  warn(plan.slow_layers, "run by reference implementations, slowly and with allocations", warnings);
  warn(plan.emulated_layers, "have operands in 8 bits but are computed in floating point",
       warnings);
  return warnings;
}

void Compiler::compile_reference(const Node& node) {
  auto layer = std::make_shared<ReferenceLayer>();
  layer->node = node;
  std::vector<Argument> arguments;
  const auto read = [&](ValueId id, std::vector<TensorType>& types) {
    arguments.push_back(argument(0, is_raw(id) ? locate(id) : row_major_floats(id, node.name)));
    types.push_back(graph_.value(id).type);
  };
  for (const ValueId id : node.inputs) {
    layer->given.push_back(id != kNoValue);
    if (id != kNoValue) read(id, layer->inputs);
  }
  for (const PostOp& post_op : node.post_ops) {
    if (post_op.operand != kNoValue) read(post_op.operand, layer->operands);
  }
  std::vector<std::pair<ValueId, Located>> results;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId id = node.outputs[i];
    if (id == kNoValue) continue;
    const TensorType& type = graph_.value(id).type;
    const auto bytes = static_cast<std::int64_t>(std::max<std::size_t>(bytes_of(type), 1));
    const Located result =
        new_result(is_raw(id) ? row_major({bytes}, Type::u8) : row_major(type.shape, Type::f32));
    arguments.push_back(argument(0, result));
    layer->outputs.emplace_back(i, type);
    results.emplace_back(id, result);
  }
  add_own_step(node, fmt::format("{} hedge:reference", node.op->name), {run_reference, layer},
               std::move(arguments));
  for (const auto& [id, result] : results) produce(id, result);
}

void Compiler::add_conversion(const Located& from, const TensorType& type, const Located& to,
                              const std::string& name) {
  const Kernel convert{run_conversion, std::make_shared<const TensorType>(type)};
  add_step({.name = name,
            .kernel = fmt::format("conversion hedge:convert:{}", to_string(type.type)),
            .own = convert,
            .arguments = {argument(0, from), argument(0, to)}});
}

}  // namespace hedge::cpu
