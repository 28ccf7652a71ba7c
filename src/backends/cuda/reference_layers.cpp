// SPDX-License-Identifier: Apache-2.0
// Layers without a kernel: their operators' reference implementations on the host.

#include <fmt/format.h>

#include <algorithm>

#include "backends/cuda/compiler.h"
#include "graph/operators/operator.h"

namespace hedge::cuda {

void Compiler::compile_reference(const Node& node) {
  const ReferenceLayer layer = reference_layer(graph_, node);
  Step step{.name = node.name,
            .kernel = fmt::format("{} hedge:reference", node.op->name),
            .precision = "fp32"};
  step.host.run = run_reference;
  step.host.parameters = std::make_shared<const ReferenceLayer>(layer);
  for (const ValueId id : reference_inputs(node)) {
    const Located from = is_raw(id) ? locate(id) : row_major_floats(id, node.name);
    step.arguments.push_back(argument(from));
    step.host.bytes.push_back(byte_count(graph_.value(id).type));
  }
  step.host.reads = step.arguments.size();
  std::vector<std::pair<ValueId, Located>> results;
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    const std::size_t bytes = byte_count(graph_.value(id).type);
    const auto words = static_cast<std::int64_t>(std::max<std::size_t>((bytes + 3) / 4, 1));
    const Located result =
        new_result(row_major(is_raw(id) ? Shape{words} : shape_of(id), ElementType::kFloat32));
    step.arguments.push_back(argument(result));
    step.host.bytes.push_back(bytes);
    results.emplace_back(id, result);
  }
  step.multiply_accumulates = std::exchange(uncounted_macs_, 0);
  plan_->steps.push_back(std::move(step));
  for (const auto& [id, result] : results) produce(id, result);
}

void Compiler::add_conversion(const Located& from, const TensorType& type, const Located& to,
                              const std::string& name) {
  Step step{.name = name,
            .kernel = fmt::format("conversion hedge:reference:{}", to_string(type.type)),
            .precision = "fp32",
            .arguments = {argument(from), argument(to)}};
  step.host = {run_conversion,
               std::make_shared<const TensorType>(type),
               {byte_count(type), static_cast<std::size_t>(element_count(type.shape)) * 4},
               1};
  plan_->steps.push_back(std::move(step));
}

}  // namespace hedge::cuda
