// SPDX-License-Identifier: Apache-2.0
#include "onnx/tensor_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/text.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;
using onnx::TensorProto;

// raw_data is little-endian (onnx.proto); it is copied as it lies.
static_assert(std::endian::native == std::endian::little);

struct ElementType {
  std::int32_t onnx_type;
  DataType type;
  std::size_t stored_bytes;
};
constexpr std::array<ElementType, 9> kElementTypes{{
    {TensorProto::FLOAT, DataType::kFloat32, 4},
    {TensorProto::UINT8, DataType::kUInt8, 1},
    {TensorProto::INT8, DataType::kInt8, 1},
    {TensorProto::INT32, DataType::kInt32, 4},
    {TensorProto::INT64, DataType::kInt64, 8},
    {TensorProto::BOOL, DataType::kBool, 1},
    {TensorProto::FLOAT16, DataType::kFloat32, 2},
    {TensorProto::DOUBLE, DataType::kFloat32, 8},
    {TensorProto::BFLOAT16, DataType::kFloat32, 2},
}};

const ElementType* find_element_type(std::int32_t onnx_type) {
  const auto found =
      std::find_if(kElementTypes.begin(), kElementTypes.end(),
                   [onnx_type](const ElementType& entry) { return entry.onnx_type == onnx_type; });
  return found == kElementTypes.end() ? nullptr : &*found;
}

/// IEEE 754 binary16, subnormals, infinities and NaNs included.
float float_from_half(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16U;
  const std::uint32_t exponent = (half >> 10U) & 0x1FU;
  const std::uint32_t mantissa = half & 0x3FFU;
  if (exponent == 0) {  // Zero or subnormal: mantissa * 2^-24, exact in float32.
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t widened = exponent == 0x1F ? 0xFFU : exponent + 112;  // 112 = 127 - 15
  return std::bit_cast<float>(sign | (widened << 23U) | (mantissa << 13U));
}

float float_from_bfloat(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

/// Stored elements of type `Stored`, one after the other, through `convert`.
template <class Stored, class Convert>
Tensor convert_bytes(Shape shape, std::span<const std::byte> bytes, Convert convert) {
  using Value = std::invoke_result_t<Convert, Stored>;
  Tensor tensor(kDataTypeOf<Value>, std::move(shape));
  const auto values = tensor.mutable_values<Value>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = convert(stored);
  }
  return tensor;
}

template <class T>
Tensor copy_bytes(Shape shape, std::span<const std::byte> bytes) {
  Tensor tensor(kDataTypeOf<T>, std::move(shape));
  if (!bytes.empty()) std::memcpy(tensor.mutable_values<T>().data(), bytes.data(), bytes.size());
  return tensor;
}

/// `bytes` has the length that type and shape call for.
Tensor tensor_from_bytes(std::int32_t onnx_type, Shape shape, std::span<const std::byte> bytes) {
  switch (onnx_type) {
    case TensorProto::FLOAT:
      return copy_bytes<float>(std::move(shape), bytes);
    case TensorProto::UINT8:
      return copy_bytes<std::uint8_t>(std::move(shape), bytes);
    case TensorProto::INT8:
      return copy_bytes<std::int8_t>(std::move(shape), bytes);
    case TensorProto::INT32:
      return copy_bytes<std::int32_t>(std::move(shape), bytes);
    case TensorProto::INT64:
      return copy_bytes<std::int64_t>(std::move(shape), bytes);
    case TensorProto::BOOL:  // A bool that is neither 0 nor 1 is undefined behaviour in C++.
      return convert_bytes<std::uint8_t>(std::move(shape), bytes,
                                         [](std::uint8_t byte) { return byte != 0; });
    case TensorProto::FLOAT16:
      return convert_bytes<std::uint16_t>(std::move(shape), bytes, float_from_half);
    case TensorProto::BFLOAT16:
      return convert_bytes<std::uint16_t>(std::move(shape), bytes, float_from_bfloat);
    default:
      return convert_bytes<double>(std::move(shape), bytes,
                                   [](double value) { return static_cast<float>(value); });
  }
}

/// One of the typed fields (float_data, ...), each element through `convert`.
template <class Repeated, class Convert>
Tensor convert_field(Shape shape, const Repeated& field, std::string_view name, Convert convert) {
  using Value = std::invoke_result_t<Convert, typename Repeated::value_type>;
  const std::int64_t count = element_count(shape);
  if (field.size() != count) {
    throw bad_input(fmt::format("shape {} takes {} elements, but {} holds {}", to_string(shape),
                                count, name, field.size()));
  }
  Tensor tensor(kDataTypeOf<Value>, std::move(shape));
  std::transform(field.begin(), field.end(), tensor.mutable_values<Value>().begin(), convert);
  return tensor;
}

template <class Value>
Tensor from_int32_field(Shape shape, const TensorProto& proto) {
  return convert_field(std::move(shape), proto.int32_data(), "int32_data",
                       [](std::int32_t value) { return static_cast<Value>(value); });
}

Tensor tensor_from_fields(const TensorProto& proto, Shape shape) {
  switch (proto.data_type()) {
    case TensorProto::FLOAT:
      return convert_field(std::move(shape), proto.float_data(), "float_data",
                           [](float value) { return value; });
    case TensorProto::DOUBLE:
      return convert_field(std::move(shape), proto.double_data(), "double_data",
                           [](double value) { return static_cast<float>(value); });
    case TensorProto::INT64:
      return convert_field(std::move(shape), proto.int64_data(), "int64_data",
                           [](std::int64_t value) { return value; });
    case TensorProto::INT32:
      return from_int32_field<std::int32_t>(std::move(shape), proto);
    case TensorProto::INT8:
      return from_int32_field<std::int8_t>(std::move(shape), proto);
    case TensorProto::UINT8:
      return from_int32_field<std::uint8_t>(std::move(shape), proto);
    case TensorProto::BOOL:
      return from_int32_field<bool>(std::move(shape), proto);
    case TensorProto::FLOAT16:
      return convert_field(
          std::move(shape), proto.int32_data(), "int32_data",
          [](std::int32_t bits) { return float_from_half(static_cast<std::uint16_t>(bits)); });
    default:  // BFLOAT16
      return convert_field(
          std::move(shape), proto.int32_data(), "int32_data",
          [](std::int32_t bits) { return float_from_bfloat(static_cast<std::uint16_t>(bits)); });
  }
}

std::uint64_t parse_number(const std::string& key, const std::string& text) {
  const auto value = parse_integer<std::uint64_t>(text);
  if (!value) {
    throw bad_input(
        fmt::format("the {} '{}' of its external data is no number", key, printable(text)));
  }
  return *value;
}

/// Refuses what points outside `folder`, symbolic links included: a model that was downloaded must
/// not be able to read other files.
fs::path path_inside(const fs::path& folder, const std::string& location) {
  const fs::path relative(location);
  const bool steps_out = std::find(relative.begin(), relative.end(), "..") != relative.end();
  std::error_code error;
  const fs::path base = fs::weakly_canonical(folder, error);
  const fs::path target = fs::weakly_canonical(folder / relative, error);
  const bool inside =
      !error &&
      std::mismatch(base.begin(), base.end(), target.begin(), target.end()).first == base.end();
  if (location.empty() || location.find('\0') != std::string::npos || relative.has_root_path() ||
      steps_out || !inside) {
    throw bad_input(fmt::format(
        "its external data file '{}' is not inside the model's folder; put it beside the model",
        printable(location)));
  }
  return target;
}

}  // namespace

std::optional<DataType> graph_data_type(std::int32_t onnx_type) {
  const ElementType* found = find_element_type(onnx_type);
  return found == nullptr ? std::nullopt : std::optional(found->type);
}

DataType require_data_type(std::int32_t onnx_type) {
  if (const auto type = graph_data_type(onnx_type)) return *type;
  throw bad_input(
      fmt::format("unsupported element type {}", TensorProto::DataType_IsValid(onnx_type)
                                                     ? TensorProto::DataType_Name(onnx_type)
                                                     : std::to_string(onnx_type)));
}

TensorReader::TensorReader(fs::path folder) : folder_(folder.empty() ? "." : std::move(folder)) {}

Tensor TensorReader::read(TensorProto& proto) {
  static_cast<void>(require_data_type(proto.data_type()));
  if (proto.has_segment()) throw bad_input("it comes in segments, which Hedge does not read");
  Shape shape(proto.dims().begin(), proto.dims().end());
  const auto needed = static_cast<std::uint64_t>(element_count(shape)) *
                      find_element_type(proto.data_type())->stored_bytes;
  if (proto.data_location() == TensorProto::EXTERNAL) {
    const auto bytes = external_bytes(external_fields(proto), needed);
    return tensor_from_bytes(proto.data_type(), std::move(shape), bytes);
  }
  if (!proto.has_raw_data()) return tensor_from_fields(proto, std::move(shape));
  const std::unique_ptr<std::string> raw(proto.release_raw_data());
  if (raw->size() != needed) {
    throw bad_input(fmt::format("shape {} takes {} bytes, but raw_data holds {}", to_string(shape),
                                needed, raw->size()));
  }
  return tensor_from_bytes(proto.data_type(), std::move(shape), std::as_bytes(std::span(*raw)));
}

TensorReader::External TensorReader::external_fields(const TensorProto& proto) {
  External external;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") external.location = entry.value();
    if (entry.key() == "offset") external.offset = parse_number("offset", entry.value());
    if (entry.key() == "length") external.length = parse_number("length", entry.value());
  }
  return external;
}

std::span<const std::byte> TensorReader::external_bytes(const External& external,
                                                        std::uint64_t needed) {
  auto& file = files_[external.location];
  if (!file) file = MappedFile::open(path_inside(folder_, external.location));
  const std::uint64_t size = file->bytes().size();
  if (external.length.value_or(needed) != needed) {
    throw bad_input(
        fmt::format("its shape takes {} bytes, but the length of its external data is {}", needed,
                    *external.length));
  }
  if (external.offset > size || needed > size - external.offset) {
    throw bad_input(fmt::format(
        "its external data, {} bytes at offset {}, go behind the end of '{}', which has {} bytes",
        needed, external.offset, printable(external.location), size));
  }
  return file->bytes().subspan(static_cast<std::size_t>(external.offset),
                               static_cast<std::size_t>(needed));
}

}  // namespace hedge
