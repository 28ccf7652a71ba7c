// SPDX-License-Identifier: Apache-2.0
#include "onnx/attribute_reader.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "onnx/names.h"

namespace hedge {
namespace {

using onnx::AttributeProto;

Attributes::Value read_value(AttributeProto& attribute, TensorReader& tensors) {
  if (!attribute.ref_attr_name().empty()) throw bad_input("refers to an attribute of a function");
  switch (attribute.type()) {
    case AttributeProto::INT:
      return attribute.i();
    case AttributeProto::FLOAT:
      return attribute.f();
    case AttributeProto::STRING:
      return attribute.s();
    case AttributeProto::INTS:
      return std::vector<std::int64_t>(attribute.ints().begin(), attribute.ints().end());
    case AttributeProto::FLOATS:
      return std::vector<float>(attribute.floats().begin(), attribute.floats().end());
    case AttributeProto::STRINGS:
      return std::vector<std::string>(attribute.strings().begin(), attribute.strings().end());
    case AttributeProto::TENSOR:
      return tensors.read(*attribute.mutable_t());
    default:
      throw bad_input(fmt::format("is a {}, which Hedge does not read",
                                  AttributeProto::AttributeType_IsValid(attribute.type())
                                      ? AttributeProto::AttributeType_Name(attribute.type())
                                      : "value of an unknown kind"));
  }
}

/// value_int, value_floats, ... as a tensor.
Tensor constant_tensor(const Attributes::Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return Tensor::from<std::int64_t>({}, std::span(integer, 1));
  }
  if (const auto* number = std::get_if<float>(&value)) {
    return Tensor::from<float>({}, std::span(number, 1));
  }
  if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value)) {
    return Tensor::from<std::int64_t>({static_cast<std::int64_t>(integers->size())}, *integers);
  }
  if (const auto* numbers = std::get_if<std::vector<float>>(&value)) {
    return Tensor::from<float>({static_cast<std::int64_t>(numbers->size())}, *numbers);
  }
  if (const auto* tensor = std::get_if<Tensor>(&value)) return *tensor;
  throw bad_input("is text, which Hedge does not read");
}

}  // namespace

Attributes read_attributes(onnx::NodeProto& node, TensorReader& tensors) {
  Attributes attributes;
  const bool constant = node.op_type() == "Constant";
  for (AttributeProto& attribute : *node.mutable_attribute()) {
    try {
      Attributes::Value value = read_value(attribute, tensors);
      if (constant) {
        attributes.set("value", constant_tensor(value));
      } else {
        attributes.set(attribute.name(), std::move(value));
      }
    } catch (const Error& error) {
      throw bad_input(fmt::format("attribute '{}': {}", printable(attribute.name()), error.what()));
    }
  }
  return attributes;
}

}  // namespace hedge
