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
#include "onnx/normalize.h"
#include "onnx/tensor_reader.h"
#include "onnx/unsupported.h"

namespace hedge {
namespace {

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
    // First of all, because nothing else matters to somebody whose model cannot run.
    for (std::string& text : unsupported_operators(proto_)) problem(std::move(text));
    add_initializers();
    add_inputs();
    const std::vector<int> order = topological_order(proto_);
    for (const int position : order) add_node(position);
    add_outputs();
    throw_problems();
    validate(graph_);
    infer_shapes(graph_);
    normalize_softmax(graph_);
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
    problem(fmt::format("{} reads '{}', which no input, initializer or node gives",
                        describe(node, position), printable(name)));
    return define(name, graph_.add_value(printable(name)));
  }

  void add_node(int position) {
    onnx::NodeProto& proto = *proto_.mutable_node(position);
    Node node;
    node.name = printable(node_name(proto, position));
    node.op = operator_for(proto.domain(), proto.op_type());
    for (const std::string& input : proto.input()) {
      node.inputs.push_back(input_value(proto, position, input));
    }
    while (!node.inputs.empty() && node.inputs.back() == kNoValue) node.inputs.pop_back();
    // Outputs that nobody reads (a Dropout's mask) are not asked of an operator, but keep their
    // place: a Split has as many parts as outputs. The first one there always is.
    bool dead = true;
    for (const std::string& output : proto.output()) {
      const bool read = read_.contains(output) && !output.empty();
      dead = dead && !read;
      if (!read && !output.empty()) graph_.unread.push_back(printable(output));
      node.outputs.push_back(read ? define(output, graph_.add_value(printable(output))) : kNoValue);
    }
    if (node.op == nullptr || dead) return;
    if (node.outputs[0] == kNoValue) node.outputs[0] = graph_.add_value(node.name + " (unread)");
    try {
      node.attributes = read_attributes(proto, tensors_);
      normalize(graph_, node, proto.op_type(), opset_of(position));
    } catch (const Error& error) {
      problem(fmt::format("{}: {}", describe(proto, position), error.what()));
    }
    graph_.nodes.push_back(std::move(node));
  }

  /// Operators of other domains are taken where they mean what the newest standard ones do.
  [[nodiscard]] std::int64_t opset_of(int position) const {
    return is_standard_domain(proto_.node(position).domain())
               ? opsets_[static_cast<std::size_t>(position)]
               : kNewestOpset;
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
