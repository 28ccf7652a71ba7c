// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace hedge {

/// SHA-256 (FIPS 180-4) as 64 hexadecimal digits. For naming model files; nothing secret passes
/// here, and it keeps OpenSSL out of programs that only run an engine.
[[nodiscard]] std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace hedge
