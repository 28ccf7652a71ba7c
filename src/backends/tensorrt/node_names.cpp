// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/node_names.h"

#include <cstdint>
#include <optional>

namespace hedge::tensorrt {
namespace {

// Fields of onnx.proto.
constexpr std::uint64_t kModelGraph = 7;
constexpr std::uint64_t kGraphNode = 1;
constexpr std::uint64_t kNodeName = 3;
constexpr std::uint64_t kNodeOperator = 4;

/// Protobuf's wire format: a key, which is field and kind, before each value.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}

  struct Field {
    std::uint64_t number = 0;
    std::string_view bytes;  ///< Of a value with a length; empty for numbers.
  };

  /// Nothing at the end, and where the bytes make no sense.
  std::optional<Field> next() {
    const auto key = varint();
    if (!key) return std::nullopt;
    Field field{.number = *key >> 3U, .bytes = {}};
    switch (*key & 7U) {
      case 0:
        if (!varint()) return std::nullopt;
        return field;
      case 1:
        return skip(8) ? std::optional(field) : std::nullopt;
      case 2: {
        const auto length = varint();
        if (!length || *length > rest_.size()) return std::nullopt;
        field.bytes = rest_.substr(0, *length);
        rest_.remove_prefix(*length);
        return field;
      }
      case 5:
        return skip(4) ? std::optional(field) : std::nullopt;
      default:
        return std::nullopt;
    }
  }

 private:
  bool skip(std::size_t bytes) {
    if (bytes > rest_.size()) return false;
    rest_.remove_prefix(bytes);
    return true;
  }

  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    return std::nullopt;
  }

  std::string_view rest_;
};

NodeName read_node(std::string_view bytes) {
  NodeName node;
  Fields fields(bytes);
  while (const auto field = fields.next()) {
    if (field->number == kNodeName) node.name = field->bytes;
    if (field->number == kNodeOperator) node.op = field->bytes;
  }
  return node;
}

}  // namespace

std::vector<NodeName> node_names(std::string_view onnx) {
  std::vector<NodeName> nodes;
  Fields model(onnx);
  while (const auto graph = model.next()) {
    if (graph->number != kModelGraph) continue;
    Fields fields(graph->bytes);
    while (const auto node = fields.next()) {
      if (node->number == kGraphNode) nodes.push_back(read_node(node->bytes));
    }
  }
  return nodes;
}

}  // namespace hedge::tensorrt
