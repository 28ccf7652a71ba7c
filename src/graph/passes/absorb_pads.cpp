// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "graph/passes/edit.h"
#include "graph/passes/passes.h"

namespace hedge {
namespace {

/// More channels than this and a convolution that only selects costs more than the copy it
/// replaces.
constexpr std::int64_t kMaxSelectedChannels = 256;

/// Begin and end of each of four axes (ONNX order: all begins, then all ends) of a Pad with zeros.
std::optional<std::vector<std::int64_t>> zero_pads(const Graph& graph, const Node& node) {
  if (!is_op(node, "Pad") || !node.post_ops.empty()) return std::nullopt;
  if (node.attributes.get_string("mode", "constant") != "constant") return std::nullopt;
  if (graph.value(node.inputs[0]).type.shape.size() != 4) return std::nullopt;
  if (graph.value(node.inputs[0]).type.type != DataType::kFloat32) return std::nullopt;
  if (node.inputs.size() > 3 && node.inputs[3] != kNoValue) return std::nullopt;
  float fill = node.attributes.get_float("value", 0);
  if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
    const auto given = constant_floats(graph, node.inputs[2]);
    if (!given || given->size() != 1) return std::nullopt;
    fill = given->front();
  }
  auto pads = node.attributes.get_ints("pads");
  if (node.inputs.size() > 1 && node.inputs[1] != kNoValue) {
    if (!graph.is_constant(node.inputs[1])) return std::nullopt;
    pads = graph.value(node.inputs[1]).constant->to_int64();
  }
  const bool grows = std::all_of(pads.begin(), pads.end(), [](std::int64_t p) { return p >= 0; });
  if (fill != 0 || pads.size() != 8 || !grows) return std::nullopt;
  return pads;
}

bool pad_into_conv(Graph& graph, const GraphIndex& index, Node& conv) {
  if (!is_op(conv, "Conv")) return false;
  const auto mode = conv.attributes.get_string("auto_pad", "NOTSET");
  if (mode != "NOTSET" && mode != "VALID") return false;
  const std::int32_t producer = index.producer[static_cast<std::size_t>(conv.inputs[0])];
  if (producer < 0) return false;
  const Node& pad = graph.nodes[static_cast<std::size_t>(producer)];
  const auto pads = zero_pads(graph, pad);
  if (!pads || (*pads)[0] != 0 || (*pads)[1] != 0 || (*pads)[4] != 0 || (*pads)[5] != 0) {
    return false;
  }
  auto own = mode == "VALID" ? std::vector<std::int64_t>(4, 0)
                             : conv.attributes.get_ints("pads", {0, 0, 0, 0});
  own[0] += (*pads)[2];
  own[1] += (*pads)[3];
  own[2] += (*pads)[6];
  own[3] += (*pads)[7];
  conv.attributes.erase("auto_pad");
  conv.attributes.set("pads", own);
  conv.inputs[0] = pad.inputs[0];
  return true;
}

/// A pool that keeps one pixel of each window: kernel 1x1, no padding.
bool is_subsampling(const Node& node) {
  if ((!is_op(node, "MaxPool") && !is_op(node, "AveragePool")) || !node.post_ops.empty())
    return false;
  const auto pads = node.attributes.get_ints("pads");
  return node.attributes.get_ints("kernel_shape") == std::vector<std::int64_t>{1, 1} &&
         node.attributes.get_int("ceil_mode", 0) == 0 &&
         std::all_of(pads.begin(), pads.end(), [](std::int64_t p) { return p == 0; });
}

/// The 1x1 convolution that copies channel c to channel c + first of `out` channels.
Tensor selection_weights(std::int64_t in, std::int64_t out, std::int64_t first) {
  Tensor weights(DataType::kFloat32, {out, in, 1, 1});
  const auto w = weights.mutable_values<float>();
  for (std::int64_t c = 0; c < in; ++c) w[static_cast<std::size_t>((c + first) * in + c)] = 1;
  return weights;
}

/// Exact for finite activations: every output is one input times 1, plus zeros.
bool shortcut_to_conv(Graph& graph, const GraphIndex& index, Node& pad) {
  const auto pads = zero_pads(graph, pad);
  if (!pads) return false;
  for (const std::size_t i : {0U, 2U, 3U, 4U, 6U, 7U}) {
    if ((*pads)[i] != 0) return false;
  }
  const std::int64_t in = graph.value(pad.inputs[0]).type.shape[1];
  const std::int64_t out = graph.value(pad.outputs[0]).type.shape[1];
  if (out > kMaxSelectedChannels) return false;
  std::vector<std::int64_t> strides{1, 1};
  ValueId data = pad.inputs[0];
  if (Node* pool = sole_producer(graph, index, data); pool != nullptr && is_subsampling(*pool)) {
    strides = pool->attributes.get_ints("strides", strides);
    data = pool->inputs[0];
  }
  const ValueId weights =
      graph.add_constant(pad.name + ".select", selection_weights(in, out, (*pads)[1]));
  pad.op = &get_operator("Conv");
  pad.inputs = {data, weights};
  pad.attributes = {};
  pad.attributes.set("strides", strides);
  return true;
}

}  // namespace

bool absorb_pads(Graph& graph) {
  bool changed = false;
  for (Node& node : graph.nodes) {
    if (node.op == nullptr) continue;
    const GraphIndex index(graph);
    changed |= pad_into_conv(graph, index, node) || shortcut_to_conv(graph, index, node);
  }
  return changed;
}

}  // namespace hedge
