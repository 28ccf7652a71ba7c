// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hedge/error.h"

namespace hedge {

/// Element types that constants and intermediate values of a graph can have.
enum class DataType : std::uint8_t { kFloat32, kFloat64, kInt8, kUInt8, kInt32, kInt64, kBool };

[[nodiscard]] std::size_t byte_size(DataType type) noexcept;
[[nodiscard]] std::string_view to_string(DataType type) noexcept;
/// Reverse of to_string. Throws bad_input.
[[nodiscard]] DataType data_type_from_string(std::string_view name);

template <class T>
constexpr DataType kDataTypeOf = [] {
  static_assert(sizeof(T) == 0, "no tensor element type");
  return DataType::kFloat32;
}();
template <>
inline constexpr DataType kDataTypeOf<float> = DataType::kFloat32;
template <>
inline constexpr DataType kDataTypeOf<double> = DataType::kFloat64;
template <>
inline constexpr DataType kDataTypeOf<std::int8_t> = DataType::kInt8;
template <>
inline constexpr DataType kDataTypeOf<std::uint8_t> = DataType::kUInt8;
template <>
inline constexpr DataType kDataTypeOf<std::int32_t> = DataType::kInt32;
template <>
inline constexpr DataType kDataTypeOf<std::int64_t> = DataType::kInt64;
template <>
inline constexpr DataType kDataTypeOf<bool> = DataType::kBool;

/// Extents, outermost first. Empty is a scalar.
using Shape = std::vector<std::int64_t>;

/// Product of the extents. Throws bad_input on a negative extent or above 2^40 elements, so that
/// shapes out of foreign files cannot overflow what is computed from them.
[[nodiscard]] std::int64_t element_count(const Shape& shape);

/// "1x3x32x32"; "scalar".
[[nodiscard]] std::string to_string(const Shape& shape);

/// A dense row-major tensor. Copies share the bytes, which are written only through
/// mutable_values() of the one that made them.
class Tensor {
 public:
  Tensor() = default;
  /// Zeroed, 64-byte aligned.
  Tensor(DataType type, Shape shape);
  /// Bytes owned by somebody else (a mapped file), kept alive by `owner`. Throws bad_input when
  /// `bytes` is not exactly as long as the shape says, or is not aligned for the type.
  Tensor(DataType type, Shape shape, std::span<const std::byte> bytes,
         std::shared_ptr<const void> owner);

  template <class T>
  static Tensor from(Shape shape, std::span<const T> values) {
    Tensor tensor(kDataTypeOf<T>, std::move(shape));
    tensor.fill_from(std::as_bytes(values));
    return tensor;
  }

  /// False for a default-constructed tensor: an optional input that is absent.
  [[nodiscard]] explicit operator bool() const noexcept { return data_ != nullptr; }
  [[nodiscard]] DataType type() const noexcept { return type_; }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::int64_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {data_, static_cast<std::size_t>(size_) * byte_size(type_)};
  }

  /// Throws bad_input when T is not the element type.
  template <class T>
  [[nodiscard]] std::span<const T> values() const {
    require_type(kDataTypeOf<T>);
    return {reinterpret_cast<const T*>(data_), static_cast<std::size_t>(size_)};
  }
  /// Only for a tensor made by the zeroing constructor and not yet shared.
  template <class T>
  [[nodiscard]] std::span<T> mutable_values() {
    require_type(kDataTypeOf<T>);
    return {reinterpret_cast<T*>(const_cast<std::byte*>(data_)), static_cast<std::size_t>(size_)};
  }

  /// The same bytes under another shape of as many elements. Throws bad_input otherwise.
  [[nodiscard]] Tensor reshaped(Shape shape) const;
  /// Integer tensors of any width (shapes, axes, indices) as int64. Throws bad_input for floats.
  [[nodiscard]] std::vector<std::int64_t> to_int64() const;

 private:
  void require_type(DataType type) const;
  void fill_from(std::span<const std::byte> bytes);

  DataType type_ = DataType::kFloat32;
  Shape shape_;
  std::int64_t size_ = 0;
  std::shared_ptr<const void> owner_;
  const std::byte* data_ = nullptr;
};

}  // namespace hedge
