// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>

#include "backends/cuda/cuda_context.h"

namespace hedge::cuda {

/// A context as the options say; `pixels` as ExecutionSettings has them. Throws bad_input for
/// memory that this GPU does not have. On an integrated GPU MemoryMode::kAuto is the faster of
/// kMapped and kManaged, found by running both.
[[nodiscard]] std::unique_ptr<CudaContext> make_context(std::shared_ptr<const LoadedPlan> loaded,
                                                        const GpuOptions& options,
                                                        std::shared_ptr<const PixelSource> pixels);

/// The one of the modes in which inferences take the least time, the median, the host's way to
/// input and outputs included.
[[nodiscard]] std::unique_ptr<CudaContext> fastest_context(
    const std::shared_ptr<const LoadedPlan>& loaded, ExecutionSettings settings,
    std::span<const MemoryMode> modes);

}  // namespace hedge::cuda
