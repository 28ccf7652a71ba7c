// SPDX-License-Identifier: Apache-2.0
// Layers without a fast kernel: their operators' reference implementations, which allocate.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backends/cpu/compiler.h"
#include "engine/reference_layer.h"
#include "graph/operators/operator.h"

namespace hedge::cpu {
namespace {

using Type = dnnl::memory::data_type;

}  // namespace

std::vector<std::string> warnings_of(const Plan& plan) {
  std::vector<std::string> warnings =
      describe_slow(plan.slow_layers, plan.steps.size(), kByReference);
  for (std::string& text : describe_slow(plan.emulated_layers, plan.steps.size(), kEmulated)) {
    warnings.push_back(std::move(text));
  }
  return warnings;
}

void Compiler::compile_reference(const Node& node) {
  std::vector<Argument> arguments;
  for (const ValueId id : reference_inputs(node)) {
    arguments.push_back(argument(0, is_raw(id) ? locate(id) : row_major_floats(id, node.name)));
  }
  std::vector<std::pair<ValueId, Located>> results;
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    const TensorType& type = graph_.value(id).type;
    const auto bytes = static_cast<std::int64_t>(std::max<std::size_t>(byte_count(type), 1));
    const Located result =
        new_result(is_raw(id) ? row_major({bytes}, Type::u8) : row_major(type.shape, Type::f32));
    arguments.push_back(argument(0, result));
    results.emplace_back(id, result);
  }
  add_own_step(
      node, fmt::format("{} hedge:reference", node.op->name),
      {run_reference, std::make_shared<const ReferenceLayer>(reference_layer(graph_, node))},
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
