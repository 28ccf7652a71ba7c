// SPDX-License-Identifier: Apache-2.0
// JPEG, PNG, BMP, PPM and PGM: what is accepted has the pixels that it says, and one try is as
// another.

#include <cstddef>
#include <cstdint>
#include <span>

#include "data/picture.h"
#include "hedge/error.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  // Small, or most of the time would go into clearing memory.
  constexpr std::int64_t kMostPixels = 1 << 16;
  try {
    const auto picture = hedge::decode_picture(bytes, "fuzz", {.most_pixels = kMostPixels});
    require(picture.height >= 1 && picture.width >= 1);
    const auto pixels = static_cast<std::int64_t>(picture.height) * picture.width;
    require(pixels <= kMostPixels);
    require(picture.rgb.size() == static_cast<std::size_t>(3 * pixels));
    require(picture.orientation == 1);
    std::uint64_t sum = 0;
    for (const std::uint8_t value : picture.rgb) sum += value;
    require(sum <= 255 * static_cast<std::uint64_t>(picture.rgb.size()));
  } catch (const hedge::Error& error) {
    require(error.kind() == hedge::ErrorKind::kBadInput);
  }
  return 0;
}
