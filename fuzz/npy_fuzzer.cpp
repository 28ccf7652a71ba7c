// SPDX-License-Identifier: Apache-2.0
// NumPy's arrays: what is accepted as images lies inside the bytes, what as labels is in range.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "data/file_datasets.h"
#include "hedge/error.h"
#include "require.h"

namespace {

void read_images(std::span<const std::byte> bytes, std::size_t count) {
  const auto dataset = hedge::npy_from_bytes(bytes, "x.npy", nullptr, std::vector<int>(count, 3));
  require(dataset->size() == count && dataset->classes() == 4);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const hedge::Image image = dataset->image(i);
    require(image.pixels.size() == static_cast<std::size_t>(3) *
                                       static_cast<std::size_t>(image.height) *
                                       static_cast<std::size_t>(image.width));
    // Every byte is read, so that the sanitizer sees an array that reaches past the end.
    for (const std::uint8_t pixel : image.pixels) sum += pixel;
  }
  require(sum <= 255 * static_cast<std::uint64_t>(bytes.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  for (const std::size_t count : {std::size_t{1}, std::size_t{2}}) {
    try {
      read_images(bytes, count);
    } catch (const hedge::Error&) {
    }
  }
  try {
    const std::vector<int> labels = hedge::labels_from_npy(bytes, "y.npy");
    require(std::all_of(labels.begin(), labels.end(), [](int label) { return label >= 0; }));
    require(labels.size() <= size);
  } catch (const hedge::Error&) {
  }
  return 0;
}
