// SPDX-License-Identifier: Apache-2.0
#include "onnx/export.h"

#include <fmt/format.h>
#include "onnx/format.pb.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/float8.h"
#include "graph/operators/operator.h"
#include "onnx/export_tensors.h"

namespace hedge {
namespace {

/// The IR versions of opsets 17 and 19.
int ir_version(int opset) {
  return opset < 19 ? 8 : 9;
}

/// Attributes of older opsets that became inputs: operator, attribute, input, and since when.
struct Moved {
  std::string_view op;
  std::string_view attribute;
  int input;
  int since = 13;
};
constexpr std::array kMoved{Moved{"Clip", "min", 1},
                            Moved{"Clip", "max", 2},
                            Moved{"Squeeze", "axes", 1},
                            Moved{"Unsqueeze", "axes", 1},
                            Moved{"ReduceSum", "axes", 1},
                            Moved{"Split", "split", 1},
                            Moved{"Pad", "pads", 1},
                            Moved{"Pad", "value", 2},
                            Moved{"ReduceMax", "axes", 1, 18},
                            Moved{"ReduceMean", "axes", 1, 18},
                            Moved{"ReduceMin", "axes", 1, 18},
                            Moved{"ReduceProd", "axes", 1, 18},
                            Moved{"ReduceL1", "axes", 1, 18},
                            Moved{"ReduceL2", "axes", 1, 18},
                            Moved{"ReduceLogSum", "axes", 1, 18},
                            Moved{"ReduceLogSumExp", "axes", 1, 18},
                            Moved{"ReduceSumSquare", "axes", 1, 18}};

bool is_float(const Value& value) {
  return value.type.type == DataType::kFloat32;
}

bool is_qdq(const Node& node) {
  return node.op->name == "QuantizeLinear" || node.op->name == "DequantizeLinear";
}

/// Inputs that are float32 whatever the node computes in.
bool is_always_float32(const Node& node, std::size_t input) {
  return node.op->name == "Resize" && input == 2;  // The scales.
}

class Exporter {
 public:
  Exporter(const Graph& graph, const OnnxForm& form)
      : graph_(graph),
        form_(form),
        names_(graph.values.size()),
        held_(graph.values.size(), form.floats) {}

  std::string run() {
    model_.set_ir_version(ir_version(form_.opset));
    model_.set_producer_name("Hedge");
    model_.set_producer_version(HEDGE_VERSION);
    model_.add_opset_import()->set_version(form_.opset);
    proto_ = model_.mutable_graph();
    proto_->set_name(graph_.name.empty() ? "graph" : graph_.name);
    name_values();
    for (const Node& node : graph_.nodes) made_.insert(node.outputs.begin(), node.outputs.end());
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i) write_input(i);
    for (const Node& node : graph_.nodes) write_node(node);
    for (const ValueId id : graph_.outputs) write_output(id);
    return model_.SerializeAsString();
  }

 private:
  [[nodiscard]] const std::string& name(ValueId id) const {
    return names_.at(static_cast<std::size_t>(id));
  }
  [[nodiscard]] FloatType& held(ValueId id) { return held_.at(static_cast<std::size_t>(id)); }
  [[nodiscard]] FloatType type_of(const Node& node) const {
    const auto stated = form_.nodes.find(node.name);
    return stated == form_.nodes.end() ? form_.floats : stated->second;
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
    name_outputs();
  }

  /// An output that is computed in another type keeps its name for the Cast behind it.
  void name_outputs() {
    for (const Node& node : graph_.nodes) {
      for (const ValueId id : node.outputs) {
        if (id != kNoValue) held(id) = type_of(node);
      }
    }
    for (const ValueId id : graph_.outputs) {
      if (!is_float(graph_.value(id)) || graph_.is_constant(id) || is_input(id) ||
          held(id) == FloatType::kFloat32 || outer_.contains(id)) {
        continue;
      }
      outer_[id] = name(id);
      names_.at(static_cast<std::size_t>(id)) = unique(name(id) + "_rounded");
    }
  }

  [[nodiscard]] bool is_input(ValueId id) const {
    return std::any_of(graph_.inputs.begin(), graph_.inputs.end(),
                       [id](const GraphInput& input) { return input.value == id; });
  }

  onnx::NodeProto& add_node(const char* op, const std::string& node, const std::string& input,
                            const std::string& output) {
    onnx::NodeProto& proto = *proto_->add_node();
    proto.set_op_type(op);
    proto.set_name(unique(node));
    proto.add_input(input);
    proto.add_output(output);
    return proto;
  }

  void add_cast(const std::string& from, const std::string& to, FloatType type) {
    write_attribute("to", std::int64_t{onnx_type(type)}, type,
                    add_node("Cast", to + "_cast", from, to));
  }

  /// The caller's name stays with the caller's tensor.
  void write_input(std::size_t index) {
    const GraphInput& input = graph_.inputs[index];
    const std::string outer = name(input.value);
    std::string& inner = names_.at(static_cast<std::size_t>(input.value));
    if (is_float(graph_.value(input.value)) && form_.floats != FloatType::kFloat32) {
      inner = unique(outer + "_rounded");
      add_cast(outer, inner, form_.floats);
    }
    if (!input.permutation.empty()) {
      const std::string from = inner;
      inner = unique(outer + "_transposed");
      write_attribute("perm", input.permutation, form_.floats,
                      add_node("Transpose", outer + "_transpose", from, inner));
    }
    write_value_info(outer, graph_.input_type(index), form_.any_batch, *proto_->add_input());
  }

  void write_output(ValueId id) {
    const Value& value = graph_.value(id);
    const auto outer = outer_.find(id);
    if (is_input(id)) {  // Names tell inputs and outputs apart.
      const std::string& from = read(id, FloatType::kFloat32);
      const std::string to = unique(graph_.value(id).name + "_output");
      (void)add_node("Identity", to + "_identity", from, to);
      return write_value_info(to, value.type, form_.any_batch, *proto_->add_output());
    }
    if (outer == outer_.end()) {
      return write_value_info(read(id, FloatType::kFloat32), value.type, form_.any_batch,
                              *proto_->add_output());
    }
    if (cast_outputs_.insert(id).second) add_cast(name(id), outer->second, FloatType::kFloat32);
    write_value_info(outer->second, value.type, form_.any_batch, *proto_->add_output());
  }

  /// The name under which a reader finds the value in the type that it wants. Constants go into the
  /// file when somebody reads them.
  const std::string& read(ValueId id, FloatType wanted, bool scales = false) {
    static const std::string absent;
    if (id == kNoValue) return absent;
    const Value& value = graph_.value(id);
    const bool constant = value.constant && !made_.contains(id);
    if (!is_float(value)) wanted = FloatType::kFloat32;
    if (!constant && (!is_float(value) || held(id) == wanted)) return seen(id);
    const auto [entry, fresh] = read_.try_emplace({id, wanted});
    if (!fresh) return entry->second;
    std::string& given = entry->second;
    given = name(id);
    if (!constant) {
      given = unique(given + suffix(wanted));
      add_cast(seen(id), given, wanted);
      return given;
    }
    if (wanted != FloatType::kFloat32) given = unique(given + suffix(wanted));
    onnx::TensorProto& tensor = *proto_->add_initializer();
    write_tensor(*value.constant, wanted, scales, tensor);
    tensor.set_name(given);
    return given;
  }

  /// What readers see of a value that is not constant: where it is held in 8-bit floats, what comes
  /// out of these.
  const std::string& seen(ValueId id) {
    if (!form_.float8) return name(id);
    const auto held8 = form_.float8->activations.find(graph_.value(id).name);
    if (held8 == form_.float8->activations.end()) return name(id);
    const auto [entry, fresh] = float8_.try_emplace({id, held(id)});
    if (!fresh) return entry->second;
    const std::string stored = unique(name(id) + "_float8");
    const Float8Inputs inputs = add_float8_inputs(name(id), float8_scale(held8->second), held(id));
    onnx::NodeProto& quantize = add_node("QuantizeLinear", stored + "_quantize", name(id), stored);
    quantize.add_input(inputs.scale);
    quantize.add_input(inputs.zero_point);
    entry->second = dequantized(stored, name(id), inputs);
    return entry->second;
  }

  /// Weights as 8-bit floats, as their reader sees them.
  const std::string& float8_weights(ValueId id, FloatType wanted) {
    const auto [entry, fresh] = float8_.try_emplace({id, wanted});
    if (!fresh) return entry->second;
    const Tensor& weights = *graph_.value(id).constant;
    float largest = 0;
    for (const float x : weights.values<float>()) largest = std::max(largest, std::fabs(x));
    const float scale = float8_scale(largest);
    onnx::TensorProto& stored = *proto_->add_initializer();
    write_float8(weights, scale, stored);
    stored.set_name(unique(name(id) + "_float8"));
    entry->second =
        dequantized(stored.name(), name(id), add_float8_inputs(name(id), scale, wanted));
    return entry->second;
  }

  struct Float8Inputs {
    std::string scale, zero_point;
  };

  static float float8_scale(double largest) {
    return largest > 0 ? static_cast<float>(largest / kLargestFloat8) : 1;
  }

  Float8Inputs add_float8_inputs(const std::string& value, float scale, FloatType type) {
    onnx::TensorProto& written = *proto_->add_initializer();
    write_tensor(Tensor::from<float>({}, std::span(&scale, 1)), type, true, written);
    written.set_name(unique(value + "_float8_scale"));
    onnx::TensorProto& zero = *proto_->add_initializer();
    zero.set_data_type(onnx::TensorProto::FLOAT8E4M3FN);
    zero.set_raw_data(std::string(1, '\0'));
    zero.set_name(unique(value + "_float8_zero"));
    return {written.name(), zero.name()};
  }

  std::string dequantized(const std::string& stored, const std::string& value,
                          const Float8Inputs& inputs) {
    const std::string result = unique(value + "_from_float8");
    onnx::NodeProto& node = add_node("DequantizeLinear", result + "_dequantize", stored, result);
    node.add_input(inputs.scale);
    node.add_input(inputs.zero_point);
    return result;
  }

  static const char* suffix(FloatType type) {
    if (type == FloatType::kFloat16) return "_fp16";
    return type == FloatType::kBfloat16 ? "_bf16" : "_fp32";
  }

  void write_node(const Node& node) {
    if (!node.post_ops.empty()) {
      throw bad_input(
          fmt::format("{} ({}): a fused operation has no form in ONNX", node.name, node.op->name));
    }
    const FloatType floats = type_of(node);
    std::vector<std::string> inputs;  // Casts come before the node.
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const FloatType wanted = is_always_float32(node, i) ? FloatType::kFloat32 : floats;
      if (keeps_batch(node, i)) {
        inputs.push_back(open_shape(node));
      } else if (i == 1 && form_.float8 && form_.float8->layers.contains(node.name)) {
        inputs.push_back(float8_weights(node.inputs[i], floats));
      } else {
        inputs.push_back(read(node.inputs[i], wanted, is_qdq(node) && i == 1));
      }
    }
    onnx::NodeProto& proto = *proto_->add_node();
    proto.set_op_type(std::string(node.op->name));
    proto.set_name(node_names_.insert(node.name).second ? node.name : unique(node.name));
    for (std::string& input : inputs) proto.add_input(std::move(input));
    for (const ValueId id : node.outputs) proto.add_output(id == kNoValue ? "" : name(id));
    for (const auto& [attribute, value] : node.attributes.all()) {
      if (attribute == "allowzero" && form_.any_batch) continue;  // Without it 0 is "as it was".
      if (write_as_input(node, attribute, value, floats, proto)) continue;
      write_attribute(attribute, retyped(node, attribute, value, floats), floats, proto);
    }
    if (form_.opset >= 18 && node.op->name == "Split" && proto.input_size() < 2 &&
        node.attributes.all().count("num_outputs") == 0) {
      write_attribute("num_outputs", static_cast<std::int64_t>(node.outputs.size()), floats, proto);
    }
  }

  /// Whether the input is the shape of a Reshape that leaves the batch in front, as a constant.
  [[nodiscard]] bool keeps_batch(const Node& node, std::size_t input) const {
    if (!form_.any_batch || node.op->name != "Reshape" || input != 1) return false;
    const Shape& data = graph_.value(node.inputs[0]).type.shape;
    const bool fixed = graph_.is_constant(node.inputs[1]) && !graph_.is_constant(node.inputs[0]);
    if (!fixed || data.empty() || data[0] != graph_.input_type(0).shape.at(0)) return false;
    const std::vector<std::int64_t> target = graph_.value(node.inputs[1]).constant->to_int64();
    return !target.empty() && target[0] == data[0];
  }

  /// That shape with 0 for the batch: as the data have it.
  std::string open_shape(const Node& node) {
    std::vector<std::int64_t> target = graph_.value(node.inputs[1]).constant->to_int64();
    target[0] = 0;
    onnx::TensorProto& tensor = *proto_->add_initializer();
    const Shape shape{static_cast<std::int64_t>(target.size())};
    write_tensor(Tensor::from<std::int64_t>(shape, target), FloatType::kFloat32, false, tensor);
    tensor.set_name(unique(node.name + "_shape"));
    return tensor.name();
  }

  /// A cast to floats casts to those that the node computes in.
  static Attributes::Value retyped(const Node& node, const std::string& attribute,
                                   const Attributes::Value& value, FloatType floats) {
    const auto* to = std::get_if<std::int64_t>(&value);
    if (node.op->name == "Cast" && attribute == "to" && to != nullptr &&
        *to == onnx::TensorProto::FLOAT) {
      return std::int64_t{onnx_type(floats)};
    }
    return value;
  }

  bool write_as_input(const Node& node, const std::string& attribute,
                      const Attributes::Value& value, FloatType floats, onnx::NodeProto& proto) {
    for (const Moved& moved : kMoved) {
      if (moved.op != node.op->name || moved.attribute != attribute || moved.since > form_.opset) {
        continue;
      }
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
      write_tensor(tensor, floats, false, written);
      written.set_name(unique(fmt::format("{}_{}", node.name, attribute)));
      proto.set_input(moved.input, written.name());
      return true;
    }
    return false;
  }

  const Graph& graph_;
  const OnnxForm& form_;
  std::vector<std::string> names_;  ///< By value.
  std::vector<FloatType> held_;     ///< By value: the type that it is made in.
  std::set<std::string> taken_;
  std::set<std::string> node_names_;
  std::set<ValueId> made_;  ///< By a node: a constant all the same where that node's inputs are.
  std::map<std::pair<ValueId, FloatType>, std::string> read_;    ///< Initializers, and Casts.
  std::map<std::pair<ValueId, FloatType>, std::string> float8_;  ///< As their readers see them.
  std::map<ValueId, std::string> outer_;  ///< Names of outputs that are made in another type.
  std::set<ValueId> cast_outputs_;
  onnx::ModelProto model_;
  onnx::GraphProto* proto_ = nullptr;
};

}  // namespace

std::string export_onnx(const Graph& graph, const OnnxForm& form) {
  return Exporter(graph, form).run();
}

}  // namespace hedge

extern "C" std::string* hedge_onnx_export(const hedge::Graph* graph, const hedge::OnnxForm* form) {
  return std::make_unique<std::string>(hedge::export_onnx(*graph, *form)).release();
}
