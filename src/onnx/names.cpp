// SPDX-License-Identifier: Apache-2.0
#include "onnx/names.h"

#include <fmt/format.h>

#include "base/text.h"

namespace hedge {
std::string node_name(const onnx::NodeProto& node, int index) {
  return node.name().empty() ? fmt::format("{}_{}", node.op_type(), index) : node.name();
}

std::string operator_name(const onnx::NodeProto& node) {
  return is_standard_domain(node.domain()) ? node.op_type() : node.domain() + "." + node.op_type();
}

std::string describe(const onnx::NodeProto& node, int index) {
  return fmt::format("{} ({})", printable(node_name(node, index)), printable(operator_name(node)));
}

bool is_standard_domain(std::string_view domain) {
  return domain.empty() || domain == "ai.onnx";
}

}  // namespace hedge
