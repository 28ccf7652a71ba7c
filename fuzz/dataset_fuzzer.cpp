// SPDX-License-Identifier: Apache-2.0
// The CIFAR-10 reader: what it accepts has whole records with labels in range, all inside the
// bytes.

#include <cstddef>
#include <cstdint>
#include <span>

#include "data/cifar_dataset.h"
#include "hedge/error.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto dataset =
        hedge::cifar_from_bytes(std::as_bytes(std::span(data, size)), nullptr, "fuzz.bin");
    require(dataset->size() * hedge::kCifarRecordBytes == size);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < dataset->size(); ++i) {
      const hedge::Image image = dataset->image(i);
      require(image.label >= 0 && image.label < dataset->classes());
      require(image.pixels.size() == hedge::kCifarPixelBytes);
      // Every byte is read, so that the sanitizer sees a record that reaches past the end.
      for (const std::uint8_t pixel : image.pixels) sum += pixel;
    }
    require(sum <= 255 * static_cast<std::uint64_t>(size));
  } catch (const hedge::Error&) {
  }
  return 0;
}
