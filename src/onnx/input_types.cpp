// SPDX-License-Identifier: Apache-2.0
#include "onnx/input_types.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "onnx/names.h"
#include "onnx/tensor_reader.h"

namespace hedge {
namespace {

using onnx::TensorShapeProto;

bool is_known(const TensorShapeProto::Dimension& dim) {
  return dim.has_dim_value() && dim.dim_value() > 0;
}

/// "1x3xHx?"
std::string to_text(const TensorShapeProto& shape) {
  std::vector<std::string> extents;
  for (const auto& dim : shape.dim()) {
    extents.push_back(is_known(dim)         ? std::to_string(dim.dim_value())
                      : dim.has_dim_param() ? printable(dim.dim_param())
                                            : "?");
  }
  return extents.empty() ? "scalar" : fmt::format("{}", fmt::join(extents, "x"));
}

/// A shape of this form with the usual extents of an image where they are open: "1x3x224x224".
std::string example(const TensorShapeProto& shape) {
  const bool colours_last = shape.dim_size() == 4 && is_known(shape.dim(3)) &&
                            (shape.dim(3).dim_value() == 1 || shape.dim(3).dim_value() == 3);
  std::vector<std::int64_t> extents;
  for (int axis = 0; axis < shape.dim_size(); ++axis) {
    const bool colours = axis == 1 && shape.dim_size() == 4 && !colours_last;
    extents.push_back(is_known(shape.dim(axis)) ? shape.dim(axis).dim_value()
                      : axis == 0               ? 1
                      : colours                 ? 3
                                                : 224);
  }
  return fmt::format("{}", fmt::join(extents, "x"));
}

}  // namespace

InputTypes::InputTypes(std::span<const onnx::ValueInfoProto* const> inputs,
                       const ImportOptions& options)
    : options_(options) {
  const auto find = [&](const std::string& name) {
    return std::find_if(inputs.begin(), inputs.end(),
                        [&](const auto* input) { return input->name() == name; });
  };
  std::vector<std::string> names;
  for (const auto* input : inputs) names.push_back(fmt::format("'{}'", printable(input->name())));
  for (const auto& [name, shape] : options.shapes) {
    if (name.empty() ? inputs.size() == 1 : find(name) != inputs.end()) continue;
    problems_.push_back(
        name.empty() ? fmt::format("the shape {} names no input; there are {} (--shape=NAME:{})",
                                   to_string(shape), join_words(names), to_string(shape))
                     : fmt::format("a shape is stated for '{}', but the inputs are {}",
                                   printable(name), join_words(names)));
  }
  for (const auto* input : inputs) {
    auto stated = options.shapes.find(input->name());
    if (stated == options.shapes.end() && inputs.size() == 1) stated = options.shapes.find("");
    types_.push_back(type_of(*input, stated == options.shapes.end() ? nullptr : &stated->second));
  }
}

TensorType InputTypes::type_of(const onnx::ValueInfoProto& input, const Shape* stated) {
  const auto& type = input.type();
  if (!type.has_tensor_type()) {
    problems_.push_back(fmt::format("input '{}' is a {}; Hedge reads tensors",
                                    printable(input.name()),
                                    type.has_sequence_type()   ? "sequence"
                                    : type.has_map_type()      ? "map"
                                    : type.has_optional_type() ? "value that may be absent"
                                                               : "value of an unknown kind"));
    return {};
  }
  DataType element = DataType::kFloat32;
  try {
    element = require_data_type(type.tensor_type().elem_type());
  } catch (const Error& error) {
    problems_.push_back(fmt::format("input '{}': {}", printable(input.name()), error.what()));
  }
  if (stated == nullptr) return {element, shape_from_file(input)};
  require_agreement(input, *stated);
  return {element, *stated};
}

Shape InputTypes::shape_from_file(const onnx::ValueInfoProto& input) {
  const auto& type = input.type().tensor_type();
  if (!type.has_shape()) {
    problems_.push_back(fmt::format("input '{}' has no shape; state it (--shape={}:1x3x224x224)",
                                    printable(input.name()), printable(input.name())));
    return {};
  }
  Shape shape;
  bool open = false;
  for (const auto& dim : type.shape().dim()) {
    const bool known = is_known(dim);
    open = open || (!known && !shape.empty());
    shape.push_back(known ? dim.dim_value() : shape.empty() ? options_.batch : 1);
  }
  if (open) {
    problems_.push_back(
        fmt::format("input '{}' has the dynamic shape {}; fix it, for example with --shape={}",
                    printable(input.name()), to_text(type.shape()), example(type.shape())));
  }
  return shape;
}

void InputTypes::require_agreement(const onnx::ValueInfoProto& input, const Shape& stated) {
  const auto& type = input.type().tensor_type();
  if (!type.has_shape()) return;
  const auto& dims = type.shape().dim();
  bool agrees = static_cast<std::size_t>(dims.size()) == stated.size();
  for (int axis = 0; agrees && axis < dims.size(); ++axis) {
    agrees =
        !is_known(dims[axis]) || dims[axis].dim_value() == stated[static_cast<std::size_t>(axis)];
  }
  if (agrees) return;
  problems_.push_back(fmt::format("input '{}' has shape {}, which the stated shape {} contradicts",
                                  printable(input.name()), to_text(type.shape()),
                                  to_string(stated)));
}

}  // namespace hedge
