// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>

namespace hedge::test {

/// Of further models and images, which need not be there: $HEDGE_SHARED, else `shared` beside the
/// checkout.
inline std::filesystem::path shared_folder() {
  const char* const named = std::getenv("HEDGE_SHARED");
  if (named != nullptr && *named != '\0') return named;
  return std::filesystem::path(HEDGE_SOURCE_DIR) / ".." / "shared";
}

}  // namespace hedge::test
