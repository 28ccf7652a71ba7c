// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/picture.h"

// What the module libhedge-codecs exports (base/module.h): JPEG and PNG for picture.cpp. Errors are
// thrown, bad_input without a name in front.
extern "C" {
void hedge_decode_jpeg(const std::byte* data, std::size_t size, std::int64_t most_pixels,
                       hedge::Picture* picture);
void hedge_decode_png(const std::byte* data, std::size_t size, std::int64_t most_pixels,
                      hedge::Picture* picture);
void hedge_encode_png(const hedge::Picture* picture, std::vector<std::byte>* bytes);
}
