// SPDX-License-Identifier: Apache-2.0
#include "onnx/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "hedge/error.h"
#include "onnx/model_file.h"
#include "onnx/names.h"

namespace hedge {
namespace {

// A file of a few kilobytes can call for more nodes than there are atoms.
constexpr std::size_t kMostNodes = std::size_t{1} << 17U;
constexpr std::size_t kMostBytes = std::size_t{1} << 28U;

/// Domain, name, overload.
using FunctionKey = std::tuple<std::string, std::string, std::string>;

std::string standard_spelling(const std::string& domain) {
  return is_standard_domain(domain) ? std::string() : domain;
}

template <class Attributes>
const onnx::AttributeProto* find_attribute(const Attributes& attributes, const std::string& name) {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const auto& attribute) { return attribute.name() == name; });
  return found == attributes.end() ? nullptr : &*found;
}

class Inliner {
 public:
  explicit Inliner(onnx::ModelProto& model) : model_(model) {
    for (const auto& function : model_.functions()) {
      const FunctionKey key{standard_spelling(function.domain()), function.name(),
                            function.overload()};
      if (!functions_.emplace(key, &function).second) {
        throw bad_input(
            fmt::format("the function '{}' is defined twice", printable(function.name())));
      }
    }
  }

  std::vector<std::int64_t> run() {
    const std::int64_t opset = standard_opset(model_.opset_import()).value_or(0);
    auto* nodes = model_.mutable_graph()->mutable_node();
    if (functions_.empty()) return std::vector(static_cast<std::size_t>(nodes->size()), opset);
    google::protobuf::RepeatedPtrField<onnx::NodeProto> original;
    original.Swap(nodes);
    for (int i = 0; i < original.size(); ++i) {
      onnx::NodeProto& node = original[i];
      if (find(node) != nullptr) node.set_name(node_name(node, i));
      add(std::move(node), opset);
    }
    return std::move(opsets_);
  }

 private:
  [[nodiscard]] const onnx::FunctionProto* find(const onnx::NodeProto& node) const {
    const auto found =
        functions_.find({standard_spelling(node.domain()), node.op_type(), node.overload()});
    return found == functions_.end() ? nullptr : found->second;
  }

  void add(onnx::NodeProto node, std::int64_t opset) {
    if (const auto* function = find(node)) {
      add_call(node, *function, opset);
      return;
    }
    *model_.mutable_graph()->add_node() = std::move(node);
    opsets_.push_back(opset);
  }

  void add_call(const onnx::NodeProto& call, const onnx::FunctionProto& function,
                std::int64_t opset) {
    if (std::find(calls_.begin(), calls_.end(), &function) != calls_.end()) {
      throw bad_input(fmt::format("the function '{}' calls itself", printable(function.name())));
    }
    if (call.input_size() > function.input_size() || call.output_size() > function.output_size()) {
      throw bad_input(fmt::format("{}: has more inputs or outputs than the function '{}'",
                                  printable(call.name()), printable(function.name())));
    }
    calls_.push_back(&function);
    Names names = outer_names(call, function);
    const std::int64_t inner_opset = standard_opset(function.opset_import()).value_or(opset);
    for (int i = 0; i < function.node_size(); ++i) {
      count_copy(function.node(i).ByteSizeLong());
      add(inner_node(call, function, i, names), inner_opset);
    }
    calls_.pop_back();
  }

  /// Names inside a function to names in the graph.
  using Names = std::unordered_map<std::string, std::string>;

  std::string fresh_name(const std::string& name) {
    return fmt::format("{}#{}", name, ++fresh_names_);
  }

  void count_copy(std::size_t bytes) {
    copied_bytes_ += bytes;
    if (++copied_nodes_ > kMostNodes || copied_bytes_ > kMostBytes) {
      throw bad_input("its functions, put in place of their calls, are too many nodes");
    }
  }

  /// Those of its inputs and outputs. An input that the call does not give has no name.
  Names outer_names(const onnx::NodeProto& call, const onnx::FunctionProto& function) {
    Names names{{"", ""}};
    for (int i = 0; i < function.input_size(); ++i) {
      names.emplace(function.input(i), i < call.input_size() ? call.input(i) : "");
    }
    for (int i = 0; i < function.output_size(); ++i) {
      const bool asked = i < call.output_size() && !call.output(i).empty();
      if (!asked) continue;
      const auto [known, added] = names.emplace(function.output(i), call.output(i));
      // It is an input, handed through, or given out twice.
      if (!added) add_identity(call, known->second, call.output(i));
    }
    return names;
  }

  void add_identity(const onnx::NodeProto& call, const std::string& from, const std::string& to) {
    onnx::NodeProto& node = *model_.mutable_graph()->add_node();
    node.set_op_type("Identity");
    node.set_name(printable(call.name()) + "/Identity");
    node.add_input(from);
    node.add_output(to);
    opsets_.push_back(standard_opset(model_.opset_import()).value_or(0));
  }

  onnx::NodeProto inner_node(const onnx::NodeProto& call, const onnx::FunctionProto& function,
                             int position, Names& names) {
    onnx::NodeProto node = function.node(position);
    // Cut, so that the names of calls within calls do not grow.
    node.set_name(printable(call.name()) + "/" + node_name(node, position));
    for (auto* list : {node.mutable_input(), node.mutable_output()}) {
      for (std::string& name : *list) {
        const auto [known, added] = names.try_emplace(name);
        if (added) known->second = fresh_name(name);
        name = known->second;
      }
    }
    onnx::NodeProto given = node;
    given.clear_attribute();
    for (const auto& attribute : node.attribute()) {
      if (attribute.ref_attr_name().empty()) {
        *given.add_attribute() = attribute;
      } else if (const auto* value = value_of(attribute.ref_attr_name(), call, function)) {
        count_copy(value->ByteSizeLong());
        onnx::AttributeProto& copy = *given.add_attribute();
        copy = *value;
        copy.set_name(attribute.name());
      }  // Else the operator's default holds.
    }
    return given;
  }

  static const onnx::AttributeProto* value_of(const std::string& name, const onnx::NodeProto& call,
                                              const onnx::FunctionProto& function) {
    const auto* given = find_attribute(call.attribute(), name);
    return given != nullptr ? given : find_attribute(function.attribute_proto(), name);
  }

  onnx::ModelProto& model_;
  std::map<FunctionKey, const onnx::FunctionProto*> functions_;
  std::vector<const onnx::FunctionProto*> calls_;  ///< Those that are being put in place.
  std::vector<std::int64_t> opsets_;
  std::size_t fresh_names_ = 0;
  std::size_t copied_nodes_ = 0;
  std::size_t copied_bytes_ = 0;
};

}  // namespace

std::vector<std::int64_t> inline_functions(onnx::ModelProto& model) {
  return Inliner(model).run();
}

}  // namespace hedge
