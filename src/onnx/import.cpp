// SPDX-License-Identifier: Apache-2.0
#include "onnx/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/module.h"
#include "base/text.h"
#include "graph/operators/operator.h"
#include "onnx/attribute_reader.h"
#include "onnx/functions.h"
#include "onnx/input_types.h"
#include "onnx/model_file.h"
#include "onnx/names.h"
#include "onnx/tensor_reader.h"

namespace hedge {
namespace {

// From this opset on Softmax works along one axis; before, over all axes from `axis` on.
constexpr std::int64_t kSoftmaxAlongOneAxis = 13;

class Importer {
 public:
  Importer(onnx::ModelProto& model, const ImportOptions& options)
      : proto_(*model.mutable_graph()),
        options_(options),
        opsets_(inline_functions(model)),
        tensors_(options.folder) {}

  Graph run() {
    graph_.name = printable(proto_.name());
    collect_names();
    require_supported_operators();
    add_initializers();
    add_inputs();
    const std::vector<int> order = topological_order(proto_);
    for (const int position : order) add_node(position);
    add_outputs();
    throw_problems();
    validate(graph_);
    infer_shapes(graph_);
    check_old_softmax();
    return std::move(graph_);
  }

 private:
  void problem(std::string text) { problems_.push_back(std::move(text)); }

  void throw_problems() const {
    if (!problems_.empty()) throw bad_input(fmt::format("{}", fmt::join(problems_, "; ")));
  }

  /// What is read by a node or is an output of the graph; the rest need not be imported.
  void collect_names() {
    for (const auto& node : proto_.node()) read_.insert(node.input().begin(), node.input().end());
    for (const auto& output : proto_.output()) read_.insert(output.name());
  }

  /// First of all, because nothing else matters to somebody whose model cannot run.
  void require_supported_operators() {
    std::map<std::string, std::vector<std::string>> unsupported;
    for (int i = 0; i < proto_.node_size(); ++i) {
      const onnx::NodeProto& node = proto_.node(i);
      if (is_standard_domain(node.domain()) && find_operator(node.op_type()) != nullptr) continue;
      unsupported[printable(operator_name(node))].push_back(printable(node_name(node, i)));
    }
    if (unsupported.empty()) return;
    std::vector<std::string> parts;
    for (const auto& [name, nodes] : unsupported) {
      parts.push_back(fmt::format("{} (node{} {})", name, nodes.size() == 1 ? "" : "s",
                                  fmt::join(nodes, ", ")));
    }
    problem("operators that Hedge does not have: " + join_words(parts));
  }

  ValueId define(const std::string& name, ValueId id) {
    if (!values_.emplace(name, id).second) {
      problem(fmt::format("value '{}' is made twice", printable(name)));
    }
    return id;
  }

  void add_initializers() {
    if (proto_.sparse_initializer_size() > 0) {
      problem("sparse initializers, which Hedge does not read (save the model with dense ones)");
    }
    for (auto& tensor : *proto_.mutable_initializer()) {
      if (!read_.contains(tensor.name())) continue;
      initializers_.insert(tensor.name());
      try {
        define(tensor.name(), graph_.add_constant(printable(tensor.name()), tensors_.read(tensor)));
      } catch (const Error& error) {
        problem(fmt::format("initializer '{}': {}", printable(tensor.name()), error.what()));
        define(tensor.name(),
               graph_.add_constant(printable(tensor.name()), Tensor(DataType::kFloat32, {})));
      }
    }
  }

  void add_inputs() {
    std::vector<const onnx::ValueInfoProto*> inputs;
    for (const auto& input : proto_.input()) {
      // Before IR version 4 initializers were listed as inputs too.
      if (read_.contains(input.name()) && !initializers_.contains(input.name())) {
        inputs.push_back(&input);
      }
    }
    const InputTypes types(inputs, options_);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::string& name = inputs[i]->name();
      const ValueId id = define(name, graph_.add_value(printable(name), types.types()[i]));
      graph_.inputs.push_back({id, {}});
    }
    for (const std::string& text : types.problems()) problem(text);
  }

  ValueId input_value(const onnx::NodeProto& node, int position, const std::string& name) {
    if (name.empty()) return kNoValue;
    const auto found = values_.find(name);
    if (found != values_.end()) return found->second;
    problem(fmt::format("{} reads '{}', which nothing makes", describe(node, position),
                        printable(name)));
    return define(name, graph_.add_value(printable(name)));
  }

  void add_node(int position) {
    onnx::NodeProto& proto = *proto_.mutable_node(position);
    Node node;
    node.name = printable(node_name(proto, position));
    const bool supported = is_standard_domain(proto.domain());
    node.op = supported ? find_operator(proto.op_type()) : nullptr;
    for (const std::string& input : proto.input()) {
      node.inputs.push_back(input_value(proto, position, input));
    }
    while (!node.inputs.empty() && node.inputs.back() == kNoValue) node.inputs.pop_back();
    // Outputs that nobody reads (a Dropout's mask) must not be asked of an operator; the first one
    // there always is.
    bool dead = true;
    for (const std::string& output : proto.output()) {
      const bool read = read_.contains(output) && !output.empty();
      dead = dead && !read;
      node.outputs.push_back(read ? define(output, graph_.add_value(printable(output))) : kNoValue);
    }
    while (node.outputs.size() > 1 && node.outputs.back() == kNoValue) node.outputs.pop_back();
    if (node.op == nullptr || dead) return;
    if (node.outputs[0] == kNoValue) node.outputs[0] = graph_.add_value(node.name + " (unread)");
    try {
      node.attributes = read_attributes(proto, tensors_);
    } catch (const Error& error) {
      problem(fmt::format("{}: {}", describe(proto, position), error.what()));
    }
    normalize(node, opsets_[static_cast<std::size_t>(position)]);
    graph_.nodes.push_back(std::move(node));
  }

  /// Defaults that changed between opsets, to the newest meaning.
  static void normalize(Node& node, std::int64_t opset) {
    if (node.op->name == "Softmax" && opset < kSoftmaxAlongOneAxis &&
        !node.attributes.has("axis")) {
      node.attributes.set("axis", std::int64_t{1});
    }
    // Absent "axes" of the newer form come as an empty input; of the older as an attribute: both
    // are read by the operators. BatchNormalization of opset 7 to 8 may carry "spatial" = 1.
    if (node.op->name == "BatchNormalization" && node.attributes.get_int("spatial", 1) == 1) {
      node.attributes.erase("spatial");
    }
  }

  void add_outputs() {
    if (proto_.output_size() == 0) problem("no output");
    for (const auto& output : proto_.output()) {
      const auto found = values_.find(output.name());
      if (found == values_.end()) {
        problem(fmt::format("no node makes the output '{}'", printable(output.name())));
      } else {
        graph_.outputs.push_back(found->second);
      }
    }
  }

  /// The old Softmax over several axes at once is the new one only where a single axis of them is
  /// longer than 1, and that is the first.
  void check_old_softmax() const {
    if (opset_ >= kSoftmaxAlongOneAxis) return;
    for (const Node& node : graph_.nodes) {
      if (node.op->name != "Softmax") continue;
      const Shape& shape = graph_.value(node.inputs[0]).type.shape;
      auto axis = node.attributes.get_int("axis", 1);
      if (axis < 0) axis += static_cast<std::int64_t>(shape.size());
      if (std::any_of(shape.begin() + axis + 1, shape.end(), [](auto n) { return n != 1; })) {
        throw bad_input(fmt::format(
            "{} (Softmax): of opset {}, over all axes from {} of shape {}; convert the model to "
            "opset 13 or newer",
            node.name, opset_, axis, to_string(shape)));
      }
    }
  }

  onnx::GraphProto& proto_;
  const ImportOptions& options_;
  std::vector<std::int64_t> opsets_;  ///< Of each node of the file.
  TensorReader tensors_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> values_;
  std::set<std::string> read_;
  std::set<std::string> initializers_;
  std::vector<std::string> problems_;
};

}  // namespace

Graph import_onnx(std::span<const std::byte> model, const ImportOptions& options) {
  onnx::ModelProto proto = parse_model(model);
  require_opsets(proto);
  return Importer(proto, options).run();
}

}  // namespace hedge

extern "C" {

hedge::Graph* hedge_onnx_import(const std::byte* data, std::size_t size,
                                const hedge::ImportOptions* options) {
  return std::make_unique<hedge::Graph>(hedge::import_onnx({data, size}, *options)).release();
}

const char* hedge_module_abi() {
  return HEDGE_MODULE_ABI;
}
}
