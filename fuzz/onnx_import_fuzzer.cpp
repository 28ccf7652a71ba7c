// SPDX-License-Identifier: Apache-2.0
// Any bytes are either a model or refused with hedge::Error.
#include <cstddef>
#include <cstdint>
#include <span>

#include "hedge/error.h"
#include "onnx/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    hedge::Graph graph =
        hedge::import_onnx(std::as_bytes(std::span(data, size)), {.batch = 1, .folder = {}});
    hedge::set_batch(graph, 2);
  } catch (const hedge::Error&) {
  }
  return 0;
}
