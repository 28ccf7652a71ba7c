// SPDX-License-Identifier: Apache-2.0
#include "onnx/names.h"

#include <fmt/format.h>

#include <algorithm>

namespace hedge {
namespace {

constexpr std::size_t kLongestName = 200;

}  // namespace

std::string printable(std::string_view name) {
  std::size_t end = std::min(name.size(), kLongestName);
  // Not in the middle of a character of UTF-8.
  while (end > 0 && end < name.size() && (static_cast<unsigned char>(name[end]) & 0xC0U) == 0x80U)
    --end;
  std::string text(name.substr(0, end));
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
  return name.size() > kLongestName ? text + "..." : text;
}

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
