// SPDX-License-Identifier: Apache-2.0
// Engine files: the container as it stands, and, so that the fuzzer gets past the checksums, the
// graph inside: the input is a structure in JSON, a zero byte, and the weights.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/container.h"
#include "graph/serialize.h"
#include "hedge/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    (void)hedge::parse_container(bytes, nullptr, "fuzz.engine");
  } catch (const hedge::Error&) {
  }
  const auto zero = std::find(bytes.begin(), bytes.end(), std::byte{0});
  const auto structure = bytes.first(static_cast<std::size_t>(zero - bytes.begin()));
  // Weights are used where they lie: the copy is aligned as a mapped section is.
  const hedge::Tensor weights(hedge::DataType::kInt8,
                              {static_cast<std::int64_t>(size - structure.size())});
  std::copy(zero, bytes.end(), const_cast<std::byte*>(weights.bytes().data()));
  try {
    (void)hedge::deserialize(structure, weights.bytes(), nullptr);
  } catch (const hedge::Error&) {
  }
  return 0;
}
