// SPDX-License-Identifier: Apache-2.0
#include "onnx/unsupported.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "base/text.h"
#include "onnx/names.h"
#include "onnx/normalize.h"

namespace hedge {
namespace {

/// Names of nodes, by operator.
using Nodes = std::map<std::string, std::vector<std::string>>;

bool is_control_flow(const onnx::NodeProto& node) {
  return is_standard_domain(node.domain()) &&
         (node.op_type() == "If" || node.op_type() == "Loop" || node.op_type() == "Scan");
}

/// What quantisers write where they do not write QuantizeLinear and DequantizeLinear around the
/// operators as they were: QLinearConv, com.microsoft.QLinearAdd, ConvInteger and so on.
bool computes_in_integers(const onnx::NodeProto& node) {
  const std::string_view name = node.op_type();
  return name.starts_with("QLinear") || name.ends_with("Integer") ||
         name.starts_with("DynamicQuantize");
}

/// "Foo (nodes a, b) and Bar (node c)"
std::string list(const Nodes& operators) {
  constexpr std::size_t kMostNamed = 10;
  std::vector<std::string> parts;
  for (const auto& [name, nodes] : operators) {
    const std::size_t named = std::min(nodes.size(), kMostNamed);
    const auto begin = nodes.begin();
    parts.push_back(fmt::format(
        "{} (node{} {}{})", name, nodes.size() == 1 ? "" : "s",
        fmt::join(begin, begin + static_cast<std::ptrdiff_t>(named), ", "),
        named == nodes.size() ? "" : fmt::format(" and {} more", nodes.size() - named)));
  }
  return join_words(parts);
}

}  // namespace

std::vector<std::string> unsupported_operators(const onnx::GraphProto& graph) {
  Nodes control_flow;
  Nodes integers;
  Nodes unknown;
  Nodes custom;
  for (int i = 0; i < graph.node_size(); ++i) {
    const onnx::NodeProto& node = graph.node(i);
    if (operator_for(node.domain(), node.op_type()) != nullptr) continue;
    Nodes& kind = is_control_flow(node)               ? control_flow
                  : computes_in_integers(node)        ? integers
                  : is_standard_domain(node.domain()) ? unknown
                                                      : custom;
    kind[printable(operator_name(node))].push_back(printable(node_name(node, i)));
  }
  std::vector<std::string> problems;
  if (!unknown.empty()) {
    problems.push_back("operators that Hedge does not have: " + list(unknown));
  }
  if (!control_flow.empty()) {
    problems.push_back(
        "control flow, which Hedge does not run (export with fixed shapes and without training "
        "branches): " +
        list(control_flow));
  }
  if (!integers.empty()) {
    problems.push_back(
        "operators on integers, which Hedge does not have (quantise statically, in the QDQ format: "
        "quant_format=QuantFormat.QDQ): " +
        list(integers));
  }
  if (!custom.empty()) {
    problems.push_back("operators of custom domains, which Hedge does not have: " + list(custom));
  }
  return problems;
}

}  // namespace hedge
