// SPDX-License-Identifier: Apache-2.0
#include "double/float8.h"

#include <initializer_list>
#include <set>
#include <utility>
#include <vector>

#include "base/float8.h"
#include "onnx/format.pb.h"

namespace hedge_double {
namespace {

namespace onnx = hedge::onnx;

constexpr int kFloat8 = onnx::TensorProto::FLOAT8E4M3FN;

class Rewriter {
 public:
  explicit Rewriter(onnx::GraphProto& graph) : graph_(graph) {}

  bool run() {
    for (auto& tensor : *graph_.mutable_initializer()) {
      if (tensor.data_type() != kFloat8) continue;
      float8_.insert(tensor.name());
      decode(tensor);
    }
    if (float8_.empty()) return false;
    const auto nodes = graph_.node();
    graph_.clear_node();
    for (const auto& node : nodes) {
      const bool rounds = node.input_size() == 3 && float8_.count(node.input(2)) > 0;
      if (rounds && node.op_type() == "QuantizeLinear") {
        round(node);
      } else if (rounds) {
        add("Mul", {node.input(0), node.input(1)}, node.output(0));
      } else {
        *graph_.add_node() = node;
      }
    }
    return true;
  }

 private:
  /// As float32.
  static void decode(onnx::TensorProto& tensor) {
    const std::string codes = tensor.raw_data();
    tensor.clear_raw_data();
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (const char code : codes) {
      tensor.add_float_data(hedge::float_from_float8(static_cast<std::uint8_t>(code)));
    }
  }

  std::string add(const char* op, std::initializer_list<std::string> inputs,
                  const std::string& output = {}) {
    auto& node = *graph_.add_node();
    const std::string result = output.empty() ? "float8_" + std::to_string(++count_) : output;
    node.set_op_type(op);
    node.set_name(result + "_" + op);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(result);
    return result;
  }

  std::string number(float x) {
    auto& tensor = *graph_.add_initializer();
    tensor.set_name("float8_" + std::to_string(++count_));
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    tensor.add_float_data(x);
    return tensor.name();
  }

  /// To 4 significant bits by Dekker's splitting (24 - 4 = 20), below 2^-6 to multiples of 2^-9.
  void round(const onnx::NodeProto& node) {
    const std::string scaled = add("Div", {node.input(0), node.input(1)});
    const std::string x = add("Clip", {scaled, number(-448), number(448)});
    const std::string small = add("Less", {add("Abs", {x}), number(0x1p-6F)});
    const std::string steps = add("Round", {add("Mul", {x, number(512)})});
    const std::string subnormal = add("Mul", {steps, number(0x1p-9F)});
    const std::string large = add("Mul", {x, number(0x1p20F + 1)});
    const std::string normal = add("Sub", {large, add("Sub", {large, x})});
    add("Where", {small, subnormal, normal}, node.output(0));
  }

  onnx::GraphProto& graph_;
  std::set<std::string> float8_;
  int count_ = 0;
};

}  // namespace

std::string without_float8(const std::string& onnx) {
  onnx::ModelProto model;
  if (!model.ParseFromString(onnx) || !Rewriter(*model.mutable_graph()).run()) return onnx;
  return model.SerializeAsString();
}

}  // namespace hedge_double
