// SPDX-License-Identifier: Apache-2.0
// Engine files: the container as it stands and, so that the fuzzer gets past the checksums, what
// lies inside: the input taken as metadata, and as a graph (its structure in JSON, a zero byte,
// weights).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/container.h"
#include "engine/engine_info_json.h"
#include "graph/serialize.h"
#include "hedge/error.h"

namespace {

template <class Function>
void accept_errors(const Function& function) {
  try {
    function();
  } catch (const hedge::Error&) {
  } catch (const nlohmann::json::exception&) {  // from_json states it.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  accept_errors([&] { (void)hedge::parse_container(bytes, nullptr, "fuzz.engine"); });

  const auto zero = std::find(bytes.begin(), bytes.end(), std::byte{0});
  const auto structure = bytes.first(static_cast<std::size_t>(zero - bytes.begin()));
  accept_errors([&] {
    const auto json = nlohmann::json::parse(data, data + structure.size());
    (void)json.get<hedge::EngineInfo>();
  });
  // Weights are used where they lie: the copy is aligned as a mapped section is.
  const hedge::Tensor weights(hedge::DataType::kInt8,
                              {static_cast<std::int64_t>(size - structure.size())});
  std::copy(zero, bytes.end(), const_cast<std::byte*>(weights.bytes().data()));
  accept_errors([&] { (void)hedge::deserialize(structure, weights.bytes(), nullptr); });
  return 0;
}
