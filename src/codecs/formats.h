// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "data/picture.h"

namespace hedge {

/// As libjpeg-turbo decodes by default (accurate integer DCT, smooth upsampling), which is what
/// Pillow does. Grey and CMYK become RGB as Pillow makes them. Throws bad_input without a name in
/// front.
[[nodiscard]] Picture decode_jpeg(std::span<const std::byte> bytes, std::int64_t most_pixels);

/// Any PNG. gAMA, ICC profiles and transparency are ignored, as by Pillow. Throws bad_input without
/// a name in front.
[[nodiscard]] Picture decode_png(std::span<const std::byte> bytes, std::int64_t most_pixels);

[[nodiscard]] std::vector<std::byte> encode_png(const Picture& picture);

}  // namespace hedge
