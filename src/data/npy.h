// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace hedge {

/// An array of NumPy's .npy, formats 1.0, 2.0 and 3.0 (numpy.lib.format; NEP 1), in C order.
struct NpyArray {
  std::string type;  ///< NumPy's: "|u1", "<i8", "<f4", ...
  std::vector<std::size_t> shape;
  std::span<const std::byte> data;  ///< All that follows the header, of the bytes given.
};

/// Throws bad_input, without a name in front: no such file, damaged, Fortran's order, records.
[[nodiscard]] NpyArray npy_array(std::span<const std::byte> bytes);

/// Throws bad_input unless the data are exactly the shape's elements of so many bytes.
void require_npy_data(const NpyArray& array, std::size_t element_bytes);

/// "(10000, 10)".
[[nodiscard]] std::string npy_shape_text(const std::vector<std::size_t>& shape);

}  // namespace hedge
