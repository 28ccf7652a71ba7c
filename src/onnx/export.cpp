// SPDX-License-Identifier: Apache-2.0
#include "onnx/export.h"

#include <fmt/format.h>
#include "onnx/format.pb.h"

#include <array>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "graph/operators/operator.h"

namespace hedge {
namespace {

// IR version 8 is the one of opset 17.
constexpr int kIrVersion = 8;

std::int32_t onnx_type(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return onnx::TensorProto::FLOAT;
    case DataType::kFloat64:
      return onnx::TensorProto::DOUBLE;
    case DataType::kInt8:
      return onnx::TensorProto::INT8;
    case DataType::kUInt8:
      return onnx::TensorProto::UINT8;
    case DataType::kInt32:
      return onnx::TensorProto::INT32;
    case DataType::kInt64:
      return onnx::TensorProto::INT64;
    case DataType::kBool:
      break;
  }
  return onnx::TensorProto::BOOL;
}

void write_tensor(const Tensor& tensor, onnx::TensorProto& proto) {
  proto.set_data_type(onnx_type(tensor.type()));
  for (const std::int64_t extent : tensor.shape()) proto.add_dims(extent);
  proto.set_raw_data(tensor.bytes().data(), tensor.bytes().size());
}

void write_value_info(const std::string& name, const TensorType& type,
                      onnx::ValueInfoProto& proto) {
  proto.set_name(name);
  auto& tensor = *proto.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx_type(type.type));
  for (const std::int64_t extent : type.shape) {
    tensor.mutable_shape()->add_dim()->set_dim_value(extent);
  }
}

struct AttributeWriter {
  onnx::AttributeProto& proto;

  void operator()(std::int64_t v) const {
    proto.set_type(onnx::AttributeProto::INT);
    proto.set_i(v);
  }
  void operator()(float v) const {
    proto.set_type(onnx::AttributeProto::FLOAT);
    proto.set_f(v);
  }
  void operator()(const std::string& v) const {
    proto.set_type(onnx::AttributeProto::STRING);
    proto.set_s(v);
  }
  void operator()(const std::vector<std::int64_t>& v) const {
    proto.set_type(onnx::AttributeProto::INTS);
    proto.mutable_ints()->Add(v.begin(), v.end());
  }
  void operator()(const std::vector<float>& v) const {
    proto.set_type(onnx::AttributeProto::FLOATS);
    proto.mutable_floats()->Add(v.begin(), v.end());
  }
  void operator()(const std::vector<std::string>& v) const {
    proto.set_type(onnx::AttributeProto::STRINGS);
    for (const std::string& text : v) proto.add_strings(text);
  }
  void operator()(const Tensor& v) const {
    proto.set_type(onnx::AttributeProto::TENSOR);
    write_tensor(v, *proto.mutable_t());
  }
};

/// Attributes of older opsets that are inputs in the exported one: operator, attribute, input.
struct Moved {
  std::string_view op;
  std::string_view attribute;
  int input;
};
constexpr std::array<Moved, 8> kMoved{{{"Clip", "min", 1},
                                       {"Clip", "max", 2},
                                       {"Squeeze", "axes", 1},
                                       {"Unsqueeze", "axes", 1},
                                       {"ReduceSum", "axes", 1},
                                       {"Split", "split", 1},
                                       {"Pad", "pads", 1},
                                       {"Pad", "value", 2}}};

class Exporter {
 public:
  explicit Exporter(const Graph& graph) : graph_(graph), names_(graph.values.size()) {}

  std::string run() {
    model_.set_ir_version(kIrVersion);
    model_.set_producer_name("Hedge");
    model_.set_producer_version(HEDGE_VERSION);
    model_.add_opset_import()->set_version(kExportedOpset);
    proto_ = model_.mutable_graph();
    proto_->set_name(graph_.name.empty() ? "graph" : graph_.name);
    name_values();
    for (const Node& node : graph_.nodes) made_.insert(node.outputs.begin(), node.outputs.end());
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i) write_input(i);
    for (const Node& node : graph_.nodes) write_node(node);
    for (const ValueId id : graph_.outputs) {
      write_value_info(read(id), graph_.value(id).type, *proto_->add_output());
    }
    return model_.SerializeAsString();
  }

 private:
  [[nodiscard]] const std::string& name(ValueId id) const {
    return names_.at(static_cast<std::size_t>(id));
  }

  /// ONNX tells values apart by their names alone; ours may repeat.
  std::string unique(const std::string& wanted) {
    std::string chosen = wanted.empty() ? "value" : wanted;
    for (int i = 1; !taken_.insert(chosen).second; ++i) chosen = fmt::format("{}_{}", wanted, i);
    return chosen;
  }

  /// Inputs and outputs first: their names are the ones that others know.
  void name_values() {
    const auto give = [&](ValueId id) {
      std::string& given = names_.at(static_cast<std::size_t>(id));
      if (given.empty()) given = unique(graph_.value(id).name);
    };
    for (const GraphInput& input : graph_.inputs) give(input.value);
    for (const ValueId id : graph_.outputs) give(id);
    for (std::size_t i = 0; i < names_.size(); ++i) give(static_cast<ValueId>(i));
  }

  void write_input(std::size_t index) {
    const GraphInput& input = graph_.inputs[index];
    std::string outer = name(input.value);
    if (!input.permutation.empty()) {
      // The caller's name stays with the caller's tensor.
      names_.at(static_cast<std::size_t>(input.value)) = unique(outer + "_transposed");
      onnx::NodeProto& transpose = *proto_->add_node();
      transpose.set_op_type("Transpose");
      transpose.set_name(unique(outer + "_transpose"));
      transpose.add_input(outer);
      transpose.add_output(name(input.value));
      write_attribute("perm", input.permutation, transpose);
    }
    write_value_info(outer, graph_.input_type(index), *proto_->add_input());
  }

  static void write_attribute(const std::string& attribute, const Attributes::Value& value,
                              onnx::NodeProto& proto) {
    onnx::AttributeProto& written = *proto.add_attribute();
    written.set_name(attribute);
    std::visit(AttributeWriter{written}, value);
  }

  /// Constants go into the file when somebody reads them.
  const std::string& read(ValueId id) {
    static const std::string absent;
    if (id == kNoValue) return absent;
    const Value& value = graph_.value(id);
    if (value.constant && !made_.contains(id) && written_.insert(id).second) {
      onnx::TensorProto& tensor = *proto_->add_initializer();
      write_tensor(*value.constant, tensor);
      tensor.set_name(name(id));
    }
    return name(id);
  }

  void write_node(const Node& node) {
    if (!node.post_ops.empty()) {
      throw bad_input(
          fmt::format("{} ({}): a fused operation has no form in ONNX", node.name, node.op->name));
    }
    onnx::NodeProto& proto = *proto_->add_node();
    proto.set_op_type(std::string(node.op->name));
    proto.set_name(node_names_.insert(node.name).second ? node.name : unique(node.name));
    for (const ValueId id : node.inputs) proto.add_input(read(id));
    for (const ValueId id : node.outputs) proto.add_output(id == kNoValue ? "" : name(id));
    for (const auto& [attribute, value] : node.attributes.all()) {
      if (!write_as_input(node, attribute, value, proto)) write_attribute(attribute, value, proto);
    }
  }

  bool write_as_input(const Node& node, const std::string& attribute,
                      const Attributes::Value& value, onnx::NodeProto& proto) {
    for (const Moved& moved : kMoved) {
      if (moved.op != node.op->name || moved.attribute != attribute) continue;
      if (static_cast<int>(node.inputs.size()) > moved.input) return true;  // The input rules.
      Tensor tensor;
      if (const auto* number = std::get_if<float>(&value)) {
        tensor = Tensor::from<float>({}, std::span(number, 1));
      } else if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&value)) {
        tensor = Tensor::from<std::int64_t>({static_cast<std::int64_t>(ints->size())}, *ints);
      } else {
        throw bad_input(fmt::format("{} ({}): attribute {} has the wrong kind", node.name,
                                    node.op->name, attribute));
      }
      while (proto.input_size() < moved.input) proto.add_input("");
      if (proto.input_size() == moved.input) proto.add_input("");
      onnx::TensorProto& written = *proto_->add_initializer();
      write_tensor(tensor, written);
      written.set_name(unique(fmt::format("{}_{}", node.name, attribute)));
      proto.set_input(moved.input, written.name());
      return true;
    }
    return false;
  }

  const Graph& graph_;
  std::vector<std::string> names_;  ///< By value.
  std::set<std::string> taken_;
  std::set<std::string> node_names_;
  std::set<ValueId> made_;     ///< By a node: a constant all the same where that node's inputs are.
  std::set<ValueId> written_;  ///< As an initializer.
  onnx::ModelProto model_;
  onnx::GraphProto* proto_ = nullptr;
};

}  // namespace

std::string export_onnx(const Graph& graph) {
  return Exporter(graph).run();
}

}  // namespace hedge

extern "C" std::string* hedge_onnx_export(const hedge::Graph* graph) {
  return std::make_unique<std::string>(hedge::export_onnx(*graph)).release();
}
