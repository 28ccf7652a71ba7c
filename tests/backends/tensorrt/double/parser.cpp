// SPDX-License-Identifier: Apache-2.0
// The double of libnvonnxparser: reads ONNX by its own messages and holds it against the rules of
// the version whose headers it is built with.
#include <fmt/format.h>
#include "onnx/format.pb.h"

#include <map>
#include <set>

#include "double/network.h"

namespace hedge_double {
namespace {

namespace onnx = hedge::onnx;

constexpr bool kTyped = NV_TENSORRT_MAJOR >= 10;
constexpr int kNewestOpset = kTyped ? 20 : 17;

class ErrorDouble final : public nvonnxparser::ParserErrorStub {
 public:
  ErrorDouble(std::string text, int node, std::string name, std::string op)
      : text_(std::move(text)), node_(node), name_(std::move(name)), op_(std::move(op)) {}
  nvonnxparser::ErrorCode code() const override {
    return nvonnxparser::ErrorCode::kUNSUPPORTED_NODE;
  }
  const char* desc() const override { return text_.c_str(); }
  int node() const override { return node_; }
#if NV_TENSORRT_MAJOR >= 10
  char const* nodeName() const override {
    return name_.c_str();
  }
  char const* nodeOperator() const override {
    return op_.c_str();
  }
#endif

 private:
  std::string text_;
  int node_;
  std::string name_, op_;
};

bool is_float(int type) {
  return type == onnx::TensorProto::FLOAT || type == onnx::TensorProto::FLOAT16 ||
         type == onnx::TensorProto::BFLOAT16;
}

/// The types of a strongly typed network follow from its inputs, constants and casts; what a layer
/// combines must be of one type.
class TypeRules {
 public:
  explicit TypeRules(const onnx::GraphProto& graph) {
    for (const auto& tensor : graph.initializer()) {
      types_[tensor.name()] = tensor.data_type();
      constants_.insert(tensor.name());
    }
    for (const auto& input : graph.input()) {
      types_.emplace(input.name(), input.type().tensor_type().elem_type());
    }
  }

  /// What is wrong with the node; empty where nothing is.
  std::string add(const onnx::NodeProto& node) {
    const std::string& op = node.op_type();
    std::string problem;
    int type = onnx::TensorProto::FLOAT;
    if (op == "Cast") {
      type = static_cast<int>(node.attribute(0).i());
    } else if (op == "QuantizeLinear" || op == "DequantizeLinear") {
      problem = check_qdq(node, type);
    } else {
      problem = check_floats(node, type);
    }
    for (const std::string& output : node.output()) types_[output] = type;
    return problem;
  }

  [[nodiscard]] int type(const std::string& name) const {
    const auto found = types_.find(name);
    return found == types_.end() ? 0 : found->second;
  }

 private:
  std::string check_qdq(const onnx::NodeProto& node, int& type) {
    const bool quantizes = node.op_type() == "QuantizeLinear";
    const int stored = node.input_size() == 3 ? type_of(node, 2) : 0;
    const bool float8 = kTyped && stored == onnx::TensorProto::FLOAT8E4M3FN;
    if (stored != onnx::TensorProto::INT8 && !float8) return "a zero point of 8 bits is needed";
    if (!quantizes && type_of(node, 0) != stored) return "its input is of another type than it";
    if (!quantizes && !kTyped && constants_.count(node.input(0)) > 0) {
      return "weights must come in floating point";
    }
    if (quantizes && type_of(node, 0) != type_of(node, 1)) {
      return "scale and input are of different types";
    }
    type = quantizes ? stored : type_of(node, 1);
    return {};
  }

  std::string check_floats(const onnx::NodeProto& node, int& type) {
    std::set<int> floats;
    for (int i = 0; i < node.input_size(); ++i) {
      if (node.op_type() == "Resize" && i == 2) continue;  // Scales.
      if (is_float(type_of(node, i))) floats.insert(type_of(node, i));
      const int read = type_of(node, i);
      if (read == onnx::TensorProto::INT8 || read == onnx::TensorProto::FLOAT8E4M3FN) {
        return "8 bits without DequantizeLinear";
      }
    }
    if (!floats.empty()) type = *floats.begin();
    return floats.size() > 1 ? "its inputs are of different types" : "";
  }

  [[nodiscard]] int type_of(const onnx::NodeProto& node, int input) const {
    return type(node.input(input));
  }

  std::map<std::string, int> types_;
  std::set<std::string> constants_;
};

class ParserDouble final : public nvonnxparser::ParserStub {
 public:
  ParserDouble(NetworkDouble& network, nvinfer1::ILogger* logger)
      : network_(network), logger_(logger) {}

  // Versions differ in noexcept and in a parameter that nobody gives.
  bool parse(void const* data, size_t size, const char* /*path*/ = nullptr) noexcept override {
    if (refused(logger_, "parse")) return false;
    if (!model_.ParseFromArray(data, static_cast<int>(size))) {
      return refuse("Failed to parse ONNX model from file", -1, "", "");
    }
    network_.onnx = static_cast<const char*>(data);
    network_.onnx_bytes = size;
    network_.opset = static_cast<int>(model_.opset_import(0).version());
    if (network_.opset > kNewestOpset) return refuse("opset is too new", -1, "", "");
    return add_nodes();
  }
  int getNbErrors() const noexcept override { return static_cast<int>(errors_.size()); }
  nvonnxparser::IParserError const* getError(int i) const noexcept override {
    return errors_.at(static_cast<std::size_t>(i)).get();
  }

 private:
  bool add_nodes() {
    const onnx::GraphProto& graph = model_.graph();
    TypeRules types(graph);
    for (int i = 0; i < graph.node_size(); ++i) {
      const onnx::NodeProto& node = graph.node(i);
      if (fails("parse " + node.op_type())) {
        return refuse("Assertion failed: injected", i, node.name(), node.op_type());
      }
      const std::string problem = types.add(node);
      if (!problem.empty()) return refuse(problem, i, node.name(), node.op_type());
      network_.layers.push_back(std::make_unique<LayerDouble>(node.name()));
    }
    for (const auto& input : graph.input()) {
      if (types.type(input.name()) != onnx::TensorProto::FLOAT) complain("an input is no float32");
      network_.inputs.push_back(std::make_unique<TensorDouble>(input.name(), dims_of(input)));
    }
    for (const auto& output : graph.output()) {
      if (types.type(output.name()) != onnx::TensorProto::FLOAT)
        complain("an output is no float32");
      network_.outputs.push_back(std::make_unique<TensorDouble>(output.name()));
    }
    return true;
  }

  static nvinfer1::Dims dims_of(const onnx::ValueInfoProto& info) {
    nvinfer1::Dims dims{};
    for (const auto& extent : info.type().tensor_type().shape().dim()) {
      dims.d[dims.nbDims++] = static_cast<std::remove_reference_t<decltype(dims.d[0])>>(
          extent.has_dim_param() ? -1 : extent.dim_value());
    }
    return dims;
  }

  bool refuse(const std::string& text, int node, const std::string& name, const std::string& op) {
    errors_.push_back(std::make_unique<ErrorDouble>(text, node, name, op));
    tell(logger_, fmt::format("ModelImporter: ERROR: {}", text));
    return false;
  }

  NetworkDouble& network_;
  nvinfer1::ILogger* logger_;
  onnx::ModelProto model_;
  std::vector<std::unique_ptr<ErrorDouble>> errors_;
  Alive alive_{"parser"};
};

}  // namespace
}  // namespace hedge_double

extern "C" {
void* createNvOnnxParser_INTERNAL(void* network, void* logger, int version)
#if NV_TENSORRT_MAJOR >= 10
    noexcept
#endif
{
  using namespace hedge_double;
  auto* its_logger = static_cast<nvinfer1::ILogger*>(logger);
  if (refused(its_logger, "createParser") || version != NV_ONNX_PARSER_VERSION) return nullptr;
  auto* its_network =
      static_cast<NetworkDouble*>(static_cast<nvinfer1::INetworkDefinition*>(network));
  // As an interface: that is what the caller takes it for.
  return static_cast<nvonnxparser::IParser*>(new ParserDouble(*its_network, its_logger));
}
}
