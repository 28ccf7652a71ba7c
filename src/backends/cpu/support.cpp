// SPDX-License-Identifier: Apache-2.0
// What the cpu backend can run, asked before anything is compiled, so that all obstacles are named
// in one message.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "backends/cpu/compiler.h"
#include "graph/passes/edit.h"

namespace hedge::cpu {
namespace {

constexpr std::array<std::string_view, 13> kKernels{
    "Conv", "Gemm", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Softmax",
    "Add",  "Relu", "Clip",    "Concat",      "Transpose",         "Identity"};
constexpr std::array<std::string_view, 4> kViews{"Reshape", "Flatten", "Squeeze", "Unsqueeze"};

bool among(std::span<const std::string_view> names, const Node& node) {
  return std::find(names.begin(), names.end(), node.op->name) != names.end();
}

std::string why_convolution(const Graph& graph, const Node& node) {
  if (graph.value(node.inputs[0]).type.shape.size() != 4) return "only over planes (4 axes)";
  if (!constant_floats(graph, node.inputs[1])) return "weights that are not constant";
  if (node.inputs.size() > 2 && node.inputs[2] != kNoValue &&
      !constant_floats(graph, node.inputs[2])) {
    return "a bias that is not constant";
  }
  return {};
}

std::string why_gemm(const Graph& graph, const Node& node) {
  const Shape& out = graph.value(node.outputs[0]).type.shape;
  if (!constant_floats(graph, node.inputs[1])) return "weights that are not constant";
  if (node.attributes.get_int("transA", 0) != 0) return "transA";
  if (node.inputs.size() > 2 && node.inputs[2] != kNoValue &&
      !per_channel(graph, node.inputs[2], 2, 1, out[1])) {
    return "a bias that is not one constant a column";
  }
  return {};
}

}  // namespace

std::string why_unsupported(const Graph& graph, const Node& node) {
  if (!among(kKernels, node) && !among(kViews, node)) return "no kernel";
  for (const ValueId id : node.outputs) {
    if (id != kNoValue && graph.value(id).type.type != DataType::kFloat32) {
      return fmt::format("a {} result", to_string(graph.value(id).type.type));
    }
    if (id != kNoValue && id != node.outputs[0]) return "a second output";
    if (id != kNoValue && graph.value(id).type.shape.size() > 6) return "more than 6 axes";
    if (id != kNoValue && element_count(graph.value(id).type.shape) == 0) return "an empty result";
  }
  if (is_op(node, "Conv")) return why_convolution(graph, node);
  if (is_op(node, "Gemm")) return why_gemm(graph, node);
  if (is_op(node, "Clip")) {
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != kNoValue && !constant_floats(graph, node.inputs[i])) {
        return "bounds that are not constant";
      }
    }
  }
  if (node.op->name.ends_with("Pool") && graph.value(node.inputs[0]).type.shape.size() != 4) {
    return "only over planes (4 axes)";
  }
  if (is_op(node, "AveragePool") && node.attributes.get_int("ceil_mode", 0) != 0 &&
      node.attributes.get_int("count_include_pad", 0) != 0) {
    return "ceil_mode with count_include_pad, which oneDNN divides otherwise than ONNX";
  }
  if (is_op(node, "Add") &&
      graph.value(node.inputs[0]).type.shape != graph.value(node.outputs[0]).type.shape) {
    return "a first operand that is broadcast";
  }
  return {};
}

Window window_of(const Node& node, const Dims& kernel, const Shape& in, const Shape& out) {
  Window window{.kernel = kernel,
                .strides = node.attributes.get_ints("strides", {1, 1}),
                .dilations = node.attributes.get_ints("dilations", {1, 1}),
                .pad_begin = {0, 0},
                .pad_end = {0, 0}};
  const auto mode = node.attributes.get_string("auto_pad", "NOTSET");
  const auto pads = node.attributes.get_ints("pads", {0, 0, 0, 0});
  const bool given = mode == "NOTSET" && node.attributes.get_int("ceil_mode", 0) == 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach = (kernel[i] - 1) * window.dilations[i] + 1;
    const std::int64_t total = (out[i + 2] - 1) * window.strides[i] + reach - in[i + 2];
    window.dilations[i] -= 1;
    if (given) {
      window.pad_begin[i] = pads[i];
      window.pad_end[i] = pads[i + 2];
    } else {
      const std::int64_t all = std::max<std::int64_t>(total, 0);
      window.pad_begin[i] = mode == "NOTSET"       ? pads[i]
                            : mode == "SAME_LOWER" ? (all + 1) / 2
                            : mode == "SAME_UPPER" ? all / 2
                                                   : 0;
      window.pad_end[i] = std::max<std::int64_t>(total - window.pad_begin[i], 0);
    }
  }
  return window;
}

}  // namespace hedge::cpu
