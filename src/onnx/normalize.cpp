// SPDX-License-Identifier: Apache-2.0
#include "onnx/normalize.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "graph/operators/operator.h"
#include "onnx/names.h"
#include "onnx/tensor_reader.h"

namespace hedge {
namespace {

// From this opset on Softmax works along one axis; before, over all axes from `axis` on.
constexpr std::int64_t kSoftmaxAlongOneAxis = 13;
// Our own attribute between normalize and normalize_softmax: that `axis` is meant in the old way.
constexpr const char* kOverAllAxes = "over all axes from";

ValueId add_ints(Graph& graph, const std::string& name, const std::vector<std::int64_t>& values) {
  return graph.add_constant(
      name, Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

/// Upsample, and Resize of opset 10: X and scales (an attribute of Upsample 7), coordinates x /
/// scale. Which pixel is the nearest was left open; ONNX's node tests and ONNX Runtime know.
void normalize_resize(Graph& graph, Node& node) {
  ValueId scales = node.inputs.size() > 1 ? node.inputs[1] : kNoValue;
  if (node.attributes.has("scales")) {
    const auto values = node.attributes.get_floats("scales");
    scales =
        graph.add_constant(node.name + ".scales",
                           Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values));
    node.attributes.erase("scales");
  }
  node.inputs = {node.inputs.at(0), kNoValue, scales};
  node.attributes.set("coordinate_transformation_mode", std::string("asymmetric"));
  node.attributes.set("nearest_mode", std::string("floor_enlarging_ceil_shrinking"));
  if (node.attributes.get_string("mode", "nearest") == "bilinear") {  // So PyTorch wrote once.
    node.attributes.set("mode", std::string("linear"));
  }
}

/// float16, bfloat16 and double are read as float32 everywhere: also by a Cast.
void normalize_cast(Node& node) {
  const std::int64_t to = node.attributes.get_int("to", 0);
  if (to < 0 || to > 1000) throw bad_input(fmt::format("attribute to: no element type {}", to));
  try {
    if (require_data_type(static_cast<std::int32_t>(to)) == DataType::kFloat32) {
      node.attributes.set("to", std::int64_t{onnx::TensorProto::FLOAT});
    }
  } catch (const Error& error) {
    throw bad_input(fmt::format("attribute to: {}", error.what()));
  }
}

/// "spatial" (opset 7 and 8) = 1 is the only meaning left since opset 9.
void normalize_batch_norm(Node& node) {
  if (node.attributes.get_int("spatial", 1) != 1) {
    throw bad_input("attribute spatial: 0 is not supported");
  }
  node.attributes.erase("spatial");
}

void normalize_top_k(Graph& graph, Node& node) {
  if (!node.attributes.has("k")) return;
  const ValueId k = add_ints(graph, node.name + ".k", {node.attributes.get_int("k", 0)});
  node.attributes.erase("k");
  node.inputs = {node.inputs.at(0), k};
}

bool is_softmax(const Node& node) {
  return node.op->name == "Softmax" || node.op->name == "LogSoftmax";
}

}  // namespace

const Operator* operator_for(std::string_view domain, std::string_view op_type) {
  // What ONNX Runtime's quantiser and optimiser write for what an older opset cannot say.
  constexpr std::array<std::string_view, 3> kSameAsStandard{"QuantizeLinear", "DequantizeLinear",
                                                            "Gelu"};
  const bool known =
      is_standard_domain(domain) ||
      (domain == "com.microsoft" &&
       std::find(kSameAsStandard.begin(), kSameAsStandard.end(), op_type) != kSameAsStandard.end());
  return known ? find_operator(op_type == "Upsample" ? "Resize" : op_type) : nullptr;
}

void normalize(Graph& graph, Node& node, std::string_view op_type, std::int64_t opset) {
  if (node.inputs.empty()) return;
  // Where axes, shapes, bounds and the like were attributes before they became inputs, the
  // operators themselves read both.
  if (op_type == "Upsample" || (op_type == "Resize" && opset < 11)) normalize_resize(graph, node);
  if (op_type == "Cast") normalize_cast(node);
  if (op_type == "BatchNormalization") normalize_batch_norm(node);
  if (op_type == "TopK") normalize_top_k(graph, node);
  if (op_type == "Dropout" && opset < 12 && node.outputs.size() > 1 &&
      node.outputs[1] != kNoValue) {
    throw bad_input(fmt::format("the mask of Dropout of opset {} is not supported", opset));
  }
  if (is_softmax(node) && opset < kSoftmaxAlongOneAxis) {
    const std::int64_t axis = node.attributes.get_int("axis", 1);
    node.attributes.set("axis", axis);  // Also so that shape inference checks it.
    node.attributes.set(kOverAllAxes, axis);
  }
}

void normalize_softmax(Graph& graph) {
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    if (!node.attributes.has(kOverAllAxes)) {
      nodes.push_back(std::move(node));
      continue;
    }
    const Shape shape = graph.value(node.inputs[0]).type.shape;
    auto axis = node.attributes.get_int(kOverAllAxes, 1);
    if (axis < 0) axis += static_cast<std::int64_t>(shape.size());
    node.attributes.erase(kOverAllAxes);
    node.attributes.set("axis", axis);
    if (std::all_of(shape.begin() + axis + 1, shape.end(), [](auto n) { return n == 1; })) {
      nodes.push_back(std::move(node));
      continue;
    }
    Node flatten;
    flatten.name = node.name + ".flatten";
    flatten.op = &get_operator("Flatten");
    flatten.attributes.set("axis", axis);
    flatten.inputs = {node.inputs[0]};
    flatten.outputs = {graph.add_value(flatten.name)};
    Node reshape;
    reshape.name = node.name + ".reshape";
    reshape.op = &get_operator("Reshape");
    reshape.inputs = {graph.add_value(node.name + ".flat"),
                      add_ints(graph, node.name + ".shape", shape)};
    reshape.outputs = node.outputs;
    node.inputs = flatten.outputs;
    node.outputs = {reshape.inputs[0]};
    node.attributes.set("axis", std::int64_t{1});
    nodes.push_back(std::move(flatten));
    nodes.push_back(std::move(node));
    nodes.push_back(std::move(reshape));
  }
  const bool changed = nodes.size() != graph.nodes.size();
  graph.nodes = std::move(nodes);
  if (changed) infer_shapes(graph);
}

}  // namespace hedge
