// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "hedge/engine.h"

namespace hedge::tensorrt {

/// What a plan without a container says of itself (one by trtexec): inputs, outputs, batch, the
/// version that made it. Whether its scores are probabilities, the plan does not tell: it is run
/// twice on noise and they are looked at. A batch that varies is the smallest that the plan can
/// have. Throws bad_input as LoadedPlan does, and where input and outputs are not those of an image
/// classifier.
[[nodiscard]] EngineInfo describe_bare_plan(std::span<const std::byte> bytes);

}  // namespace hedge::tensorrt
