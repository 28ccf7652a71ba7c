// SPDX-License-Identifier: Apache-2.0
#include "base/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace hedge {
namespace {

struct TypeFacts {
  DataType type;
  std::size_t bytes;
  std::string_view name;
};
constexpr std::array<TypeFacts, 7> kTypes{{{DataType::kFloat32, 4, "float32"},
                                           {DataType::kFloat64, 8, "float64"},
                                           {DataType::kInt8, 1, "int8"},
                                           {DataType::kUInt8, 1, "uint8"},
                                           {DataType::kInt32, 4, "int32"},
                                           {DataType::kInt64, 8, "int64"},
                                           {DataType::kBool, 1, "bool"}}};
constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;
constexpr std::size_t kAlignment = 64;

const TypeFacts& facts(DataType type) noexcept {
  return kTypes[static_cast<std::size_t>(type)];
}

std::shared_ptr<std::byte> allocate_zeroed(std::size_t bytes) {
  // aligned_alloc wants a multiple of the alignment; an empty tensor still has an address.
  const std::size_t rounded =
      std::max<std::size_t>((bytes + kAlignment - 1) / kAlignment, 1) * kAlignment;
  auto* data = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
  if (data == nullptr) throw std::bad_alloc();
  std::memset(data, 0, rounded);
  return {data, [](std::byte* p) { std::free(p); }};
}

}  // namespace

std::size_t byte_size(DataType type) noexcept {
  return facts(type).bytes;
}

std::string_view to_string(DataType type) noexcept {
  return facts(type).name;
}

DataType data_type_from_string(std::string_view name) {
  for (const auto& entry : kTypes) {
    if (entry.name == name) return entry.type;
  }
  throw bad_input(fmt::format("no tensor element type is called '{}'", name));
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0)
      throw bad_input(fmt::format("shape {} has a negative extent", to_string(shape)));
    if (extent != 0 && count > kMaxElements / extent) {
      throw bad_input(fmt::format("shape {} is too large", to_string(shape)));
    }
    count *= extent;
  }
  return count;
}

std::string to_string(const Shape& shape) {
  return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, "x"));
}

Tensor::Tensor(DataType type, Shape shape)
    : type_(type), shape_(std::move(shape)), size_(element_count(shape_)) {
  auto memory = allocate_zeroed(static_cast<std::size_t>(size_) * byte_size(type_));
  data_ = memory.get();
  owner_ = std::move(memory);
}

Tensor::Tensor(DataType type, Shape shape, std::span<const std::byte> bytes,
               std::shared_ptr<const void> owner)
    : type_(type),
      shape_(std::move(shape)),
      size_(element_count(shape_)),
      owner_(std::move(owner)),
      data_(bytes.data()) {
  const std::size_t needed = static_cast<std::size_t>(size_) * byte_size(type_);
  if (bytes.size() != needed) {
    throw bad_input(fmt::format("a {} tensor of shape {} takes {} bytes, not {}", to_string(type_),
                                to_string(shape_), needed, bytes.size()));
  }
  if (reinterpret_cast<std::uintptr_t>(data_) % byte_size(type_) != 0) {
    throw bad_input(fmt::format("a {} tensor lies on an odd address", to_string(type_)));
  }
  if (data_ == nullptr) {  // No bytes, but present: an address tells it from an absent tensor.
    auto memory = allocate_zeroed(0);
    data_ = memory.get();
    owner_ = std::move(memory);
  }
}

Tensor Tensor::reshaped(Shape shape) const {
  const std::int64_t count = element_count(shape);
  if (count != size_) {
    throw bad_input(fmt::format("shape {} does not hold the elements of {}", to_string(shape),
                                to_string(shape_)));
  }
  Tensor copy = *this;
  copy.shape_ = std::move(shape);
  return copy;
}

std::vector<std::int64_t> Tensor::to_int64() const {
  const auto widen = [](auto values) {
    return std::vector<std::int64_t>(values.begin(), values.end());
  };
  switch (type_) {
    case DataType::kInt64:
      return widen(values<std::int64_t>());
    case DataType::kInt32:
      return widen(values<std::int32_t>());
    case DataType::kInt8:
      return widen(values<std::int8_t>());
    case DataType::kUInt8:
      return widen(values<std::uint8_t>());
    case DataType::kBool:
      return widen(values<bool>());
    default:
      throw bad_input(fmt::format("a {} tensor where integers are needed", to_string(type_)));
  }
}

void Tensor::require_type(DataType type) const {
  if (type_ != type) {
    throw bad_input(
        fmt::format("a {} tensor where {} is needed", to_string(type_), to_string(type)));
  }
}

void Tensor::fill_from(std::span<const std::byte> bytes) {
  const std::size_t needed = static_cast<std::size_t>(size_) * byte_size(type_);
  if (bytes.size() != needed) {
    throw bad_input(fmt::format("a {} tensor of shape {} takes {} bytes, not {}", to_string(type_),
                                to_string(shape_), needed, bytes.size()));
  }
  if (needed > 0) std::memcpy(const_cast<std::byte*>(data_), bytes.data(), needed);
}

}  // namespace hedge
