// SPDX-License-Identifier: Apache-2.0
#include "onnx/import.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/module.h"
#include "base/text.h"
#include "graph/operators/operator.h"
#include "onnx/attribute_reader.h"
#include "onnx/input_types.h"
#include "onnx/names.h"
#include "onnx/normalize.h"
#include "onnx/tensor_reader.h"
#include "onnx/wire.h"

namespace hedge {
namespace {

// Below 7, elementwise operators broadcast by attributes and BatchNormalization has other inputs.
constexpr std::int64_t kOldestOpset = 7;
// The newest one whose changes to our operators have been read.
constexpr std::int64_t kNewestOpset = 22;

onnx::ModelProto parse(std::span<const std::byte> bytes) {
  check_model_framing(bytes);
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw bad_input(fmt::format(
        "{} bytes; an ONNX file ends at 2 GiB (keep weights in external data)", bytes.size()));
  }
  const google::protobuf::LogSilencer silence;  // It would print to stderr.
  onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw bad_input("not an ONNX file, or damaged: protobuf cannot parse its content");
  }
  if (!model.has_graph()) throw bad_input("not an ONNX file: it holds no graph");
  return model;
}

std::int64_t require_opset(const onnx::ModelProto& model) {
  std::int64_t opset = 0;
  for (const auto& entry : model.opset_import()) {
    if (is_standard_domain(entry.domain())) opset = std::max(opset, entry.version());
  }
  if (opset < kOldestOpset) {
    throw bad_input(fmt::format(
        "written for opset {}; Hedge reads {} and newer (onnx.version_converter converts it)",
        opset, kOldestOpset));
  }
  if (opset > kNewestOpset) {
    log(LogLevel::kWarning,
        fmt::format("written for opset {}, newer than {}: an operator may have changed its meaning",
                    opset, kNewestOpset));
  }
  return opset;
}

/// Positions of the nodes in an order in which each one's inputs are made before it. ONNX asks
/// files to be in such an order; exporters do not always care.
std::vector<int> topological_order(const onnx::GraphProto& graph) {
  std::unordered_map<std::string_view, int> producer;
  for (int i = 0; i < graph.node_size(); ++i) {
    for (const std::string& output : graph.node(i).output()) {
      if (!output.empty()) producer.emplace(output, i);
    }
  }
  const auto count = static_cast<std::size_t>(graph.node_size());
  std::vector<int> waits_for(count, 0);
  std::vector<std::vector<int>> readers(count);
  for (int i = 0; i < graph.node_size(); ++i) {
    for (const std::string& input : graph.node(i).input()) {
      const auto found = producer.find(input);
      if (found == producer.end()) continue;
      readers[static_cast<std::size_t>(found->second)].push_back(i);
      ++waits_for[static_cast<std::size_t>(i)];
    }
  }
  // The smallest position first, so that a file in order keeps its order.
  std::set<int> ready;
  for (int i = 0; i < graph.node_size(); ++i) {
    if (waits_for[static_cast<std::size_t>(i)] == 0) ready.insert(i);
  }
  std::vector<int> order;
  while (!ready.empty()) {
    const int next = *ready.begin();
    ready.erase(ready.begin());
    order.push_back(next);
    for (const int reader : readers[static_cast<std::size_t>(next)]) {
      if (--waits_for[static_cast<std::size_t>(reader)] == 0) ready.insert(reader);
    }
  }
  if (order.size() == count) return order;
  std::vector<std::string> stuck;
  for (int i = 0; i < graph.node_size(); ++i) {
    if (waits_for[static_cast<std::size_t>(i)] > 0) stuck.push_back(describe(graph.node(i), i));
  }
  throw bad_input("nodes that wait for each other in a circle: " + join_words(stuck));
}

class Importer {
 public:
  Importer(onnx::ModelProto& model, const ImportOptions& options)
      : proto_(*model.mutable_graph()),
        options_(options),
        opset_(require_opset(model)),
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
    normalize_softmax(graph_, opset_);
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
      if (is_standard_domain(node.domain()) && operator_for(node.op_type()) != nullptr) continue;
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
    node.op = supported ? operator_for(proto.op_type()) : nullptr;
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
      node.outputs.push_back(read ? define(output, graph_.add_value(printable(output))) : kNoValue);
    }
    if (node.op == nullptr || dead) return;
    if (node.outputs[0] == kNoValue) node.outputs[0] = graph_.add_value(node.name + " (unread)");
    try {
      node.attributes = read_attributes(proto, tensors_);
      normalize(graph_, node, proto.op_type(), opset_);
    } catch (const Error& error) {
      problem(fmt::format("{}: {}", describe(proto, position), error.what()));
    }
    graph_.nodes.push_back(std::move(node));
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
  std::int64_t opset_;
  TensorReader tensors_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> values_;
  std::set<std::string> read_;
  std::set<std::string> initializers_;
  std::vector<std::string> problems_;
};

}  // namespace

Graph import_onnx(std::span<const std::byte> model, const ImportOptions& options) {
  onnx::ModelProto proto = parse(model);
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
