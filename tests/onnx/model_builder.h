// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "graph/reference_executor.h"
#include "hedge/error.h"
#include "onnx/format.pb.h"
#include "onnx/import.h"

namespace hedge::test {

using Names = std::vector<std::string>;

/// Writes models as exporters do.
class ModelBuilder {
 public:
  explicit ModelBuilder(std::int64_t opset = 13) {
    model_.set_ir_version(8);
    model_.add_opset_import()->set_version(opset);
    model_.mutable_graph()->set_name("net");
  }
  onnx::ModelProto& model() { return model_; }
  onnx::GraphProto& graph() { return *model_.mutable_graph(); }

  ModelBuilder& input(const std::string& name, const std::vector<std::int64_t>& shape,
                      onnx::TensorProto::DataType type = onnx::TensorProto::FLOAT) {
    describe(*graph().add_input(), name, shape, type);
    return *this;
  }
  ModelBuilder& output(const std::string& name) {
    graph().add_output()->set_name(name);
    return *this;
  }
  ModelBuilder& floats(const std::string& name, const std::vector<std::int64_t>& shape,
                       const std::vector<float>& values) {
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (const auto extent : shape) tensor.add_dims(extent);
    for (const float value : values) tensor.add_float_data(value);
    return *this;
  }
  ModelBuilder& ints(const std::string& name, const std::vector<std::int64_t>& values) {
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_dims(static_cast<std::int64_t>(values.size()));
    for (const auto value : values) tensor.add_int64_data(value);
    return *this;
  }
  onnx::NodeProto& node(const std::string& op, const Names& inputs, const Names& outputs) {
    onnx::NodeProto& node = *graph().add_node();
    node.set_op_type(op);
    node.set_name(op + "_" + std::to_string(graph().node_size()));
    for (const auto& name : inputs) node.add_input(name);
    for (const auto& name : outputs) node.add_output(name);
    return node;
  }

  Graph import(std::int64_t batch = 1) { return import({.batch = batch, .folder = {}}); }
  Graph import(const ImportOptions& options) {
    const std::string bytes = model_.SerializeAsString();
    return import_onnx(std::as_bytes(std::span(bytes)), options);
  }
  /// The message with which the model is refused.
  std::string refusal(const ImportOptions& options = {}) {
    try {
      (void)import(options);
    } catch (const Error& error) {
      return error.what();
    }
    return "imported";
  }

 private:
  static void describe(onnx::ValueInfoProto& info, const std::string& name,
                       const std::vector<std::int64_t>& shape, onnx::TensorProto::DataType type) {
    info.set_name(name);
    auto& tensor = *info.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    tensor.mutable_shape();
    for (const auto extent : shape) {
      auto& dim = *tensor.mutable_shape()->add_dim();
      extent > 0 ? dim.set_dim_value(extent) : dim.set_dim_param("N");
    }
  }

  onnx::ModelProto model_;
};

inline void add_int(onnx::NodeProto& node, const std::string& name, std::int64_t value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

inline std::vector<float> run(const Graph& graph, const std::vector<float>& values) {
  const std::vector<Tensor> input{Tensor::from<float>(graph.input_type(0).shape, values)};
  const auto out = execute(graph, input)[0];
  const auto span = out.values<float>();
  return {span.begin(), span.end()};
}

inline bool mentions(const std::string& text, const Names& words) {
  return std::all_of(words.begin(), words.end(),
                     [&](const std::string& word) { return text.find(word) != std::string::npos; });
}

}  // namespace hedge::test
