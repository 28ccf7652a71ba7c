// SPDX-License-Identifier: Apache-2.0
// TensorRT's calibration caches, which come from other machines.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "hedge/error.h"
#include "quant/calibration_cache.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const hedge::CalibrationCache cache = hedge::parse_calibration_cache(text);
    require(!cache.entries.empty());
    for (const auto& entry : cache.entries) {
      require(std::isfinite(entry.scale) && entry.scale > 0);
      require(cache.find(entry.tensor) == &entry);
    }
    // What was taken is written so that it is taken again, and is then the same.
    const std::string written = hedge::to_text(cache);
    require(hedge::to_text(hedge::parse_calibration_cache(written)) == written);
  } catch (const hedge::Error& error) {
    require(error.kind() == hedge::ErrorKind::kBadInput);
    require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
