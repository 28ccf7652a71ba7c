// SPDX-License-Identifier: Apache-2.0
#include "base/module.h"

#include "codecs/formats.h"
#include "data/codecs.h"

extern "C" {

void hedge_decode_jpeg(const std::byte* data, std::size_t size, std::int64_t most_pixels,
                       hedge::Picture* picture) {
  *picture = hedge::decode_jpeg({data, size}, most_pixels);
}

void hedge_decode_png(const std::byte* data, std::size_t size, std::int64_t most_pixels,
                      hedge::Picture* picture) {
  *picture = hedge::decode_png({data, size}, most_pixels);
}

void hedge_encode_png(const hedge::Picture* picture, std::vector<std::byte>* bytes) {
  *bytes = hedge::encode_png(*picture);
}

const char* hedge_module_abi() {
  return HEDGE_MODULE_ABI;
}
}
