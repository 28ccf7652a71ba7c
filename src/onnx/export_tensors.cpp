// SPDX-License-Identifier: Apache-2.0
#include "onnx/export_tensors.h"

#include <algorithm>
#include <span>
#include <variant>
#include <vector>

#include "base/float16.h"
#include "base/float8.h"

namespace hedge {
namespace {

/// Of an extent that is chosen when the model runs.
constexpr const char* kBatchSymbol = "batch";

/// Floats in 16 bits. Above zero they stay so where they are scales.
std::string rounded(std::span<const float> values, FloatType type, bool scales) {
  std::string bytes;
  bytes.reserve(2 * values.size());
  for (float x : values) {
    if (scales && type == FloatType::kFloat16) x = std::max(x, kSmallestHalf);
    const std::uint16_t bits =
        type == FloatType::kFloat16 ? half_from_float(x) : bfloat16_from_float(x);
    bytes.push_back(static_cast<char>(bits & 0xFFU));
    bytes.push_back(static_cast<char>(bits >> 8U));
  }
  return bytes;
}

struct AttributeWriter {
  onnx::AttributeProto& proto;
  FloatType floats;

  void operator()(std::int64_t v) const {
    proto.set_type(onnx::AttributeProto::INT);
    proto.set_i(v);
  }
  void operator()(float v) const {
    proto.set_type(onnx::AttributeProto::FLOAT);
    proto.set_f(v);
  }
  void operator()(const std::string& v) const {
    proto.set_type(onnx::AttributeProto::STRING);
    proto.set_s(v);
  }
  void operator()(const std::vector<std::int64_t>& v) const {
    proto.set_type(onnx::AttributeProto::INTS);
    proto.mutable_ints()->Add(v.begin(), v.end());
  }
  void operator()(const std::vector<float>& v) const {
    proto.set_type(onnx::AttributeProto::FLOATS);
    proto.mutable_floats()->Add(v.begin(), v.end());
  }
  void operator()(const std::vector<std::string>& v) const {
    proto.set_type(onnx::AttributeProto::STRINGS);
    for (const std::string& text : v) proto.add_strings(text);
  }
  void operator()(const Tensor& v) const {
    proto.set_type(onnx::AttributeProto::TENSOR);
    write_tensor(v, floats, false, *proto.mutable_t());
  }
};

}  // namespace

std::int32_t onnx_type(FloatType type) {
  switch (type) {
    case FloatType::kFloat16:
      return onnx::TensorProto::FLOAT16;
    case FloatType::kBfloat16:
      return onnx::TensorProto::BFLOAT16;
    case FloatType::kFloat32:
      break;
  }
  return onnx::TensorProto::FLOAT;
}

std::int32_t onnx_type(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return onnx::TensorProto::FLOAT;
    case DataType::kFloat64:
      return onnx::TensorProto::DOUBLE;
    case DataType::kInt8:
      return onnx::TensorProto::INT8;
    case DataType::kUInt8:
      return onnx::TensorProto::UINT8;
    case DataType::kInt32:
      return onnx::TensorProto::INT32;
    case DataType::kInt64:
      return onnx::TensorProto::INT64;
    case DataType::kBool:
      break;
  }
  return onnx::TensorProto::BOOL;
}

void write_tensor(const Tensor& tensor, FloatType floats, bool scales, onnx::TensorProto& proto) {
  for (const std::int64_t extent : tensor.shape()) proto.add_dims(extent);
  if (tensor.type() == DataType::kFloat32 && floats != FloatType::kFloat32) {
    proto.set_data_type(onnx_type(floats));
    proto.set_raw_data(rounded(tensor.values<float>(), floats, scales));
    return;
  }
  proto.set_data_type(onnx_type(tensor.type()));
  proto.set_raw_data(tensor.bytes().data(), tensor.bytes().size());
}

void write_float8(const Tensor& tensor, float scale, onnx::TensorProto& proto) {
  for (const std::int64_t extent : tensor.shape()) proto.add_dims(extent);
  proto.set_data_type(onnx::TensorProto::FLOAT8E4M3FN);
  std::string bytes;
  for (const float x : tensor.values<float>()) {
    bytes.push_back(static_cast<char>(float8_from_float(x / scale)));
  }
  proto.set_raw_data(std::move(bytes));
}

void write_value_info(const std::string& name, const TensorType& type, bool any_batch,
                      onnx::ValueInfoProto& proto) {
  proto.set_name(name);
  auto& tensor = *proto.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx_type(type.type));
  for (const std::int64_t extent : type.shape) {
    auto& dimension = *tensor.mutable_shape()->add_dim();
    if (any_batch) {
      dimension.set_dim_param(kBatchSymbol);
    } else {
      dimension.set_dim_value(extent);
    }
    any_batch = false;  // The first is the batch.
  }
}

void write_attribute(const std::string& name, const Attributes::Value& value, FloatType floats,
                     onnx::NodeProto& proto) {
  onnx::AttributeProto& written = *proto.add_attribute();
  written.set_name(name);
  std::visit(AttributeWriter{written, floats}, value);
}

}  // namespace hedge
