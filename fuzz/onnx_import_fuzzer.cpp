// SPDX-License-Identifier: Apache-2.0
// Any bytes are either a model or refused with hedge::Error.
#include <cstddef>
#include <cstdint>
#include <span>

#include "hedge/error.h"
#include "onnx/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    (void)hedge::import_onnx(std::as_bytes(std::span(data, size)), {.batch = 1, .folder = {}});
  } catch (const hedge::Error&) {
  }
  return 0;
}
