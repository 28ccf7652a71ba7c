// SPDX-License-Identifier: Apache-2.0
#include "double/precisions.h"

#include <NvInferRuntime.h>
#include "onnx/format.pb.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "hedge/error.h"

namespace hedge_double {
namespace {

namespace onnx = hedge::onnx;
using hedge::cuda::ElementKind;
using Types = std::map<std::string, int>;  ///< onnx::TensorProto's, by names.

bool is_float(int type) {
  return type == onnx::TensorProto::FLOAT || type == onnx::TensorProto::FLOAT16 ||
         type == onnx::TensorProto::BFLOAT16;
}

/// That of its floats, or of the scale.
int type_of(const onnx::NodeProto& node, const Types& tensors) {
  if (node.op_type() == "Cast") return static_cast<int>(node.attribute(0).i());
  if (node.op_type() == "QuantizeLinear") return onnx::TensorProto::INT8;
  for (const std::string& input : node.input()) {
    const auto found = tensors.find(input);
    if (found != tensors.end() && is_float(found->second)) return found->second;
  }
  return onnx::TensorProto::FLOAT;
}

/// By node, in order; without those that only change the type.
std::vector<std::pair<std::string, int>> node_types(const std::string& bytes) {
  onnx::ModelProto model;
  if (!model.ParseFromString(bytes)) throw hedge::bad_input("the double's plan holds no ONNX");
  Types tensors;
  for (const auto& tensor : model.graph().initializer()) {
    tensors[tensor.name()] = tensor.data_type();
  }
  for (const auto& input : model.graph().input()) {
    tensors.emplace(input.name(), input.type().tensor_type().elem_type());
  }
  std::vector<std::pair<std::string, int>> nodes;
  for (const auto& node : model.graph().node()) {
    const int type = type_of(node, tensors);
    for (const std::string& output : node.output()) tensors[output] = type;
    const std::string& op = node.op_type();
    if (op == "Cast" || op == "QuantizeLinear" || op == "DequantizeLinear") continue;
    nodes.emplace_back(node.name(), type);
  }
  return nodes;
}

class Kinds {
 public:
  explicit Kinds(const nlohmann::json& summary)
      : tf32_(summary.value("tf32", false)),
        permits_half_(summary.value("fp16", false)),
        obliged_(summary.value("precisions", nlohmann::json::object())) {}

  [[nodiscard]] ElementKind of(const std::string& node, int type) const {
    if (type == onnx::TensorProto::FLOAT16) return ElementKind::kHalf;
    if (type == onnx::TensorProto::BFLOAT16) return ElementKind::kBfloat16;
    if (permits_half_ && !is_obliged_to_float(node)) return ElementKind::kHalf;
    return tf32_ ? ElementKind::kTf32 : ElementKind::kFloat32;
  }

 private:
  [[nodiscard]] bool is_obliged_to_float(const std::string& node) const {
    const auto found = obliged_.find(node);
    return found != obliged_.end() && *found == static_cast<int>(nvinfer1::DataType::kFLOAT);
  }
  bool tf32_;
  bool permits_half_;
  nlohmann::json obliged_;
};

}  // namespace

hedge::cuda::PlanOptions plan_options(const PlanFile& plan) {
  const Kinds kinds(plan.summary);
  hedge::cuda::PlanOptions options{.kind = ElementKind::kFloat32, .tactics = {}};
  std::map<ElementKind, int> count;
  for (const auto& [node, type] : node_types(plan.onnx)) {
    const ElementKind kind = kinds.of(node, type);
    options.layers[node] = kind;
    ++count[kind];
  }
  const auto most = std::ranges::max_element(
      count, [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != count.end()) options.kind = most->first;
  return options;
}

}  // namespace hedge_double
