// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/gpu/context.h"

namespace hedge::gpu {

/// A context as the options say; `pixels` as ExecutionSettings has them. Throws bad_input for
/// memory that this GPU does not have. On an integrated GPU MemoryMode::kAuto is the faster of
/// kMapped and kManaged, found by running both.
[[nodiscard]] std::unique_ptr<Context> make_context(const NewNet& new_net,
                                                    const GpuOptions& options,
                                                    std::shared_ptr<const PixelSource> pixels,
                                                    const std::vector<std::string>& warnings);

/// The one of the modes in which inferences take the least time, the median, the host's way to
/// input and outputs included.
[[nodiscard]] std::unique_ptr<Context> fastest_context(const NewNet& new_net,
                                                       ExecutionSettings settings,
                                                       std::span<const MemoryMode> modes,
                                                       const std::vector<std::string>& warnings);

}  // namespace hedge::gpu
