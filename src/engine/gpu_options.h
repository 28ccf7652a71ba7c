// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "engine/backend.h"
#include "hedge/engine.h"

namespace hedge {

/// "spin", "yield", "block": as --wait and results have them.
[[nodiscard]] std::string_view to_string(WaitMode mode);
/// "auto", "mapped", ...: as --memory and results have them.
[[nodiscard]] std::string_view to_string(MemoryMode mode);
/// The reverse. Throw bad_input, which names the flag and what there is.
[[nodiscard]] WaitMode parse_wait_mode(std::string_view text);
[[nodiscard]] MemoryMode parse_memory_mode(std::string_view text);

/// Throws bad_input, which names the flags, where options are stated and the backend has no GPU:
/// they would be ignored.
void require_gpu(const Backend& backend, const GpuOptions& options);

}  // namespace hedge
