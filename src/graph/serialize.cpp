// SPDX-License-Identifier: Apache-2.0
#include "graph/serialize.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "graph/operators/operator.h"
#include "graph/post_op.h"
#include "graph/quantization.h"

namespace hedge {
namespace {

using nlohmann::json;

constexpr std::size_t kAlignment = 64;

// ---- writing

json write_tensor(const Tensor& tensor, std::vector<std::byte>& weights) {
  weights.resize((weights.size() + kAlignment - 1) / kAlignment * kAlignment);
  const std::size_t offset = weights.size();
  weights.insert(weights.end(), tensor.bytes().begin(), tensor.bytes().end());
  return {{"type", to_string(tensor.type())}, {"shape", tensor.shape()}, {"offset", offset}};
}

/// JSON has no infinities: bounds of a Clip may be.
json write_float(float v) {
  if (std::isfinite(v)) return v;
  return std::isnan(v) ? "nan" : v > 0 ? "inf" : "-inf";
}

float read_float(const json& in) {
  if (in == "inf") return std::numeric_limits<float>::infinity();
  if (in == "-inf") return -std::numeric_limits<float>::infinity();
  if (in == "nan") return std::numeric_limits<float>::quiet_NaN();
  return in.get<float>();
}

json write_attribute(const Attributes::Value& value, std::vector<std::byte>& weights) {
  struct Writer {
    std::vector<std::byte>& weights;
    json operator()(std::int64_t v) const { return {{"int", v}}; }
    json operator()(float v) const { return {{"float", write_float(v)}}; }
    json operator()(const std::string& v) const { return {{"string", v}}; }
    json operator()(const std::vector<std::int64_t>& v) const { return {{"ints", v}}; }
    json operator()(const std::vector<float>& v) const {
      json list = json::array();
      for (const float x : v) list.push_back(write_float(x));
      return {{"floats", list}};
    }
    json operator()(const std::vector<std::string>& v) const { return {{"strings", v}}; }
    json operator()(const Tensor& v) const { return {{"tensor", write_tensor(v, weights)}}; }
  };
  return std::visit(Writer{weights}, value);
}

/// "min" and "max" rather than alpha and beta for a Clip: files of version 0.1.
json write_post_op(const PostOp& post_op) {
  json out{{"kind", to_string(post_op.kind)}};
  if (post_op.kind == PostOp::Kind::kAdd) out["operand"] = post_op.operand;
  const bool clip = post_op.kind == PostOp::Kind::kClip;
  if (clip || post_op.alpha != 0) out[clip ? "min" : "alpha"] = write_float(post_op.alpha);
  if (clip || post_op.beta != 0) out[clip ? "max" : "beta"] = write_float(post_op.beta);
  return out;
}

json write_quantization(const Quantization& q) {
  return {{"type", to_string(q.type)},
          {"scales", q.scales},
          {"axis", q.axis},
          {"zero_point", q.zero_point}};
}

/// A constant that is held in 8 bits lies in the file so.
json write_value(const Value& value, std::vector<std::byte>& weights) {
  json out{{"name", value.name}};
  if (value.quantization) out["quantization"] = write_quantization(*value.quantization);
  if (value.constant) {
    out["constant"] =
        write_tensor(value.quantization ? quantize_tensor(*value.constant, *value.quantization)
                                        : *value.constant,
                     weights);
  } else {
    out["type"] = to_string(value.type.type);
    out["shape"] = value.type.shape;
  }
  return out;
}

json write_node(const Node& node, std::vector<std::byte>& weights) {
  json out{{"name", node.name},
           {"op", node.op->name},
           {"inputs", node.inputs},
           {"outputs", node.outputs}};
  for (const auto& [name, value] : node.attributes.all()) {
    out["attributes"][name] = write_attribute(value, weights);
  }
  for (const PostOp& post_op : node.post_ops) out["post_ops"].push_back(write_post_op(post_op));
  return out;
}

// ---- reading

class Reader {
 public:
  Reader(std::span<const std::byte> weights, const std::shared_ptr<const void>& owner)
      : weights_(weights), owner_(owner) {}

  [[nodiscard]] Tensor tensor(const json& in) const {
    const auto type = data_type_from_string(in.at("type").get<std::string>());
    auto shape = json_integers<std::int64_t>(in.at("shape"));
    const auto offset = json_integer<std::uint64_t>(in.at("offset"));
    const std::size_t bytes = static_cast<std::size_t>(element_count(shape)) * byte_size(type);
    if (offset > weights_.size() || bytes > weights_.size() - offset) {
      throw bad_input("a constant lies outside the weights");
    }
    return {type, std::move(shape), weights_.subspan(static_cast<std::size_t>(offset), bytes),
            owner_};
  }

  [[nodiscard]] Attributes::Value attribute(const json& in) const {
    if (in.size() != 1) throw bad_input("an attribute without one kind");
    const std::string& kind = in.begin().key();
    const json& value = in.begin().value();
    if (kind == "int") return json_integer<std::int64_t>(value);
    if (kind == "float") return read_float(value);
    if (kind == "string") return value.get<std::string>();
    if (kind == "ints") return json_integers<std::int64_t>(value);
    if (kind == "floats") {
      std::vector<float> list;
      for (const json& x : value) list.push_back(read_float(x));
      return list;
    }
    if (kind == "strings") return value.get<std::vector<std::string>>();
    if (kind == "tensor") return tensor(value);
    throw bad_input(fmt::format("an attribute of unknown kind '{}'", kind));
  }

  [[nodiscard]] Node node(const json& in) const {
    Node node;
    node.name = in.at("name").get<std::string>();
    const auto op = in.at("op").get<std::string>();
    node.op = find_operator(op);
    if (node.op == nullptr) throw bad_input(fmt::format("operator {} is not known here", op));
    node.inputs = json_integers<ValueId>(in.at("inputs"));
    node.outputs = json_integers<ValueId>(in.at("outputs"));
    if (in.contains("attributes")) {
      for (const auto& [name, value] : in.at("attributes").items()) {
        node.attributes.set(name, attribute(value));
      }
    }
    if (in.contains("post_ops")) {
      for (const json& post_op : in.at("post_ops")) node.post_ops.push_back(read_post_op(post_op));
    }
    return node;
  }

  [[nodiscard]] Value value(const json& in) const {
    Value value;
    value.name = in.at("name").get<std::string>();
    if (in.contains("constant")) {
      value.constant = tensor(in.at("constant"));
      value.type = {value.constant->type(), value.constant->shape()};
    } else {
      value.type.type = data_type_from_string(in.at("type").get<std::string>());
      value.type.shape = json_integers<std::int64_t>(in.at("shape"));
      (void)element_count(value.type.shape);
    }
    if (in.contains("quantization")) read_quantization(in.at("quantization"), value);
    return value;
  }

 private:
  static void read_quantization(const json& in, Value& value) {
    Quantization q{.type = data_type_from_string(in.at("type").get<std::string>()),
                   .scales = in.at("scales").get<std::vector<float>>(),
                   .axis = json_integer<std::int64_t>(in.at("axis")),
                   .zero_point = json_integer<std::int32_t>(in.at("zero_point"))};
    const bool type_fits =
        value.constant ? value.type.type == q.type : value.type.type == DataType::kFloat32;
    if (!type_fits || !is_valid(q, value.type.shape)) {
      throw bad_input(fmt::format("'{}' is held in 8 bits in a way that cannot be", value.name));
    }
    if (value.constant) {
      value.constant = dequantize_tensor(*value.constant, q);
      value.type.type = DataType::kFloat32;
    }
    value.quantization = std::move(q);
  }

  static PostOp read_post_op(const json& in) {
    const auto name = in.at("kind").get<std::string>();
    const auto kind = post_op_kind(name);
    if (!kind) {
      throw bad_input(fmt::format("post-op '{}' is not known here; build the engine again", name));
    }
    PostOp post_op{.kind = *kind};
    const bool clip = kind == PostOp::Kind::kClip;
    if (kind == PostOp::Kind::kAdd) post_op.operand = json_integer<ValueId>(in.at("operand"));
    const char* alpha = clip ? "min" : "alpha";
    const char* beta = clip ? "max" : "beta";
    if (clip || in.contains(alpha)) post_op.alpha = read_float(in.at(alpha));
    if (clip || in.contains(beta)) post_op.beta = read_float(in.at(beta));
    return post_op;
  }

  std::span<const std::byte> weights_;
  const std::shared_ptr<const void>& owner_;
};

}  // namespace

SerializedGraph serialize(const Graph& graph) {
  SerializedGraph out;
  json values = json::array();
  for (const Value& value : graph.values) values.push_back(write_value(value, out.weights));
  json nodes = json::array();
  for (const Node& node : graph.nodes) nodes.push_back(write_node(node, out.weights));
  json inputs = json::array();
  for (const GraphInput& input : graph.inputs) {
    inputs.push_back({{"value", input.value}, {"permutation", input.permutation}});
  }
  const json structure{{"name", graph.name},
                       {"values", std::move(values)},
                       {"nodes", std::move(nodes)},
                       {"inputs", std::move(inputs)},
                       {"outputs", graph.outputs}};
  // Names come from foreign files and may not be UTF-8.
  out.structure = structure.dump(-1, ' ', false, json::error_handler_t::replace);
  return out;
}

Graph deserialize(std::span<const std::byte> structure, std::span<const std::byte> weights,
                  const std::shared_ptr<const void>& owner) {
  try {
    const auto* text = reinterpret_cast<const char*>(structure.data());
    const json in = json::parse(text, text + structure.size());
    const Reader reader(weights, owner);
    Graph graph;
    graph.name = in.at("name").get<std::string>();
    for (const json& value : in.at("values")) graph.values.push_back(reader.value(value));
    for (const json& node : in.at("nodes")) graph.nodes.push_back(reader.node(node));
    for (const json& input : in.at("inputs")) {
      graph.inputs.push_back({json_integer<ValueId>(input.at("value")),
                              json_integers<std::int64_t>(input.at("permutation"))});
    }
    graph.outputs = json_integers<ValueId>(in.at("outputs"));
    validate(graph);
    infer_shapes(graph);
    return graph;
  } catch (const json::exception& error) {
    throw bad_input(fmt::format("the graph of the engine cannot be read: {}", json_reason(error)));
  }
}

}  // namespace hedge
